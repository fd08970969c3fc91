/* The design system's own behaviour, and saving a draft while it is typed. Pages work without. */
import { initAll } from '/assets/nhsuk/nhsuk-frontend.min.js';

initAll();

const form = document.querySelector('form[data-autosave]');
if (form) {
  const told = document.getElementById('saved');
  let timer = 0;
  let running = false;
  let again = false;

  /* The form goes as it is, with a mark; the answer is the draft's new version. */
  const save = async () => {
    if (running) { again = true; return; }
    running = true;
    const body = new URLSearchParams(new FormData(form));
    body.set('autosave', 'yes');
    try {
      const reply = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
      if (reply.ok) {
        form.elements.version.value = (await reply.json()).version;
        told.textContent = 'Saved as a draft.';
      } else {
        told.textContent = reply.status === 409 || reply.status === 412
          ? 'Not saved: the draft was changed elsewhere. Load the page again.'
          : 'Not saved yet. Continue saves the page.';
      }
    } catch {
      told.textContent = 'Not saved yet: the service cannot be reached.';
    }
    running = false;
    if (again) { again = false; await save(); }
  };

  form.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(save, 1500); });
  /* A second click while the first is under way would only be refused: leave it out. */
  form.addEventListener('submit', () => {
    clearTimeout(timer);
    setTimeout(() => { for (const each of form.querySelectorAll('button')) each.disabled = true; });
  });
  window.addEventListener('pageshow', () => {
    for (const each of form.querySelectorAll('button')) each.disabled = false;
  });
}

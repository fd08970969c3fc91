/* The design system's own behaviour, and saving a draft while it is typed. Pages work without. */
import { initAll } from '/assets/nhsuk/nhsuk-frontend.min.js';

initAll();

const form = document.querySelector('form[data-autosave]');
if (form) {
  const told = document.getElementById('saved');
  let timer = 0;
  let running = null;
  let again = false;
  let leaving = false;

  /* The form goes as it is, with a mark; the answer is the draft's new version. */
  const save = () => {
    if (running) { again = true; return running; }
    running = send().finally(() => {
      running = null;
      if (again && !leaving) { again = false; save(); }
    });
    return running;
  };

  const send = async () => {
    const body = new URLSearchParams(new FormData(form));
    body.set('autosave', 'yes');
    try {
      const reply = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
      if (reply.ok) {
        const kept = await reply.json();
        (form.elements.kept || form.elements.version).value = kept.version; /* answers to a request have their own */
        if (kept.action) { /* the page's first saving made the draft: go on with that one */
          form.action = kept.action;
          history.replaceState(null, '', kept.action);
        }
        told.textContent = form.dataset.saved || 'Saved as a draft.';
      } else if (reply.status === 429) {
        told.textContent = 'Not saved yet: too many steps in a minute. It is tried again by itself.';
        clearTimeout(timer);
        timer = setTimeout(save, 1000 * (Number(reply.headers.get('Retry-After')) || 15));
      } else if (reply.status === 400 && reply.headers.get('Content-Type') === 'application/json') {
        told.textContent = (await reply.json()).said;
      } else {
        told.textContent = reply.status === 409 || reply.status === 412
          ? 'Not saved: the draft was changed elsewhere. Load the page again.'
          : reply.status === 401 || reply.status === 403
            ? 'Not saved: you are signed out. Continue shows what you typed, to copy it.'
            : 'Not saved yet. It is tried again when you type on, or press Continue.';
      }
    } catch {
      told.textContent = 'Not saved yet: the service cannot be reached.';
    }
  };

  form.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(save, 1500); });
  /* A saving under way raises the draft's version: what is sent goes after it, with the new one. */
  form.addEventListener('submit', async event => {
    clearTimeout(timer);
    if (!running) return;
    event.preventDefault();
    if (leaving) return;
    leaving = true;
    told.textContent = 'Saving…';
    await running;
    leaving = false;
    again = false;
    form.requestSubmit(event.submitter);
  });
}

/* A file over the limit is told before it is sent: the words of the form stay where they are. */
for (const input of document.querySelectorAll('input[type=file][data-largest]')) {
  const told = document.createElement('span');
  told.className = 'nhsuk-error-message';
  told.id = `${input.id}-too-large`;
  told.setAttribute('role', 'alert');
  input.before(told);
  const check = () => {
    const over = input.files.length > 0 && input.files[0].size > Number(input.dataset.largest);
    const group = input.closest('.nhsuk-form-group');
    told.textContent = over ? input.dataset.tooLarge : '';
    group.classList.toggle('nhsuk-form-group--error', over || !!group.querySelector(`#${input.id}-error`));
    const others = (input.getAttribute('aria-describedby') || '').split(' ').filter(each => each && each !== told.id);
    input.setAttribute('aria-describedby', (over ? [...others, told.id] : others).join(' '));
    return over;
  };
  input.addEventListener('change', check);
  input.form.addEventListener('submit', event => {
    if (check()) { event.preventDefault(); input.focus(); }
  });
}

/* A second click while the first is under way would only be refused: leave it out. A download leaves
   the page where it is, so it can be asked for again after a while. `upload.js` sees to its own. */
for (const each of document.querySelectorAll('form[method=post]:not([data-upload])')) {
  let sent = 0;
  each.addEventListener('submit', event => {
    if (event.defaultPrevented) return;
    if (Date.now() - sent < 5000) event.preventDefault(); else sent = Date.now();
  });
  window.addEventListener('pageshow', () => { sent = 0; });
}

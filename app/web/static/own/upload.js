/* Sends a form with a file and shows how much of it is sent; without scripts the form goes as it is. */
const form = document.querySelector('form[data-upload]');
if (form) {
  const input = form.querySelector('input[type=file]');
  const group = input.closest('.nhsuk-form-group');
  const bar = document.getElementById('sending');
  const told = document.getElementById('sending-told');
  let under = null;
  let said = -1;

  /* A tenth at a time: a screen reader reads each out. */
  const progress = event => {
    if (!event.lengthComputable) return;
    bar.max = event.total;
    bar.value = event.loaded;
    const tenths = Math.floor(10 * event.loaded / event.total);
    if (tenths === said) return;
    said = tenths;
    told.textContent = tenths === 10 ? form.dataset.sent : `${10 * tenths}% of the file is sent.`;
    if (tenths === 10) bar.removeAttribute('value');
  };

  const refuse = words => {
    under = null;
    bar.hidden = true;
    told.textContent = '';
    let error = document.getElementById('file-error');
    if (!error) {
      error = document.createElement('span');
      error.id = 'file-error';
      error.className = 'nhsuk-error-message';
      error.setAttribute('role', 'alert');
      input.before(error);
    }
    error.textContent = words;
    group.classList.add('nhsuk-form-group--error');
    input.setAttribute('aria-describedby', `${form.dataset.hint} file-error`);
    input.focus();
  };

  const answered = () => {
    const reply = under;
    const ours = (reply.getResponseHeader('Content-Type') || '').startsWith('application/json');
    if (ours && reply.status === 200) { location.assign(reply.response.at); return; }
    if (ours && reply.response && reply.response.wrong) { refuse(reply.response.wrong); return; }
    if (reply.status === 413) { refuse(input.dataset.tooLarge); return; }
    if (reply.status === 401 || reply.status === 403) { refuse(form.dataset.signedOut); return; }
    if (reply.status === 429) { refuse(form.dataset.tooMany); return; }
    refuse(form.dataset.failed);
  };

  /* On the document: after the form's own checks, which may have stopped it. */
  document.addEventListener('submit', event => {
    if (event.target !== form || event.defaultPrevented) return;
    event.preventDefault();
    if (under) return;
    const body = new FormData(form);
    const before = document.getElementById('file-error');
    if (before) before.remove();
    group.classList.remove('nhsuk-form-group--error');
    said = -1;
    told.textContent = form.dataset.sending;
    bar.value = 0;
    bar.hidden = false;
    under = new XMLHttpRequest();
    under.open('POST', form.action);
    under.responseType = 'json';
    under.setRequestHeader('Accept', 'application/json');
    under.upload.addEventListener('progress', progress);
    under.addEventListener('load', answered);
    under.addEventListener('error', () => refuse(form.dataset.cut));
    under.send(body);
  });

  /* Whoever comes back by the back button sends anew. */
  window.addEventListener('pageshow', () => { under = null; bar.hidden = true; told.textContent = ''; });
}

/* Follows a job while its page is open; without scripts the page loads itself again. */
const told = document.querySelector('[data-follow]');
if (told) {
  const bar = document.getElementById('progress');
  const ask = async () => {
    try {
      const reply = await fetch(told.dataset.follow, { headers: { Accept: 'application/json' } });
      if (reply.status === 429) { setTimeout(ask, 15000); return; }
      if (!reply.ok) { location.reload(); return; }
      const state = await reply.json();
      if (state.over) { location.reload(); return; }
      if (told.textContent !== state.words) told.textContent = state.words;
      if (bar && state.of) { bar.max = state.of; bar.value = state.done; bar.hidden = false; }
    } catch { /* the service cannot be reached: ask again */ }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 500);
}

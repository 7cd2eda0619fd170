// What the pages need a script for, besides htmx: the viewer's time zone, times that tick, and whether the page is live.
// Everything can be read without it.
(() => {
  const { body } = document;
  const words = JSON.parse(body.dataset.words || '{}');

  // The zone is told once; the server then writes every time in it.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone !== body.dataset.zone && !document.cookie.includes(`zone=${encodeURIComponent(zone)}`)) {
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere, nor on plain HTTP.
    document.cookie = `zone=${encodeURIComponent(zone)}; Path=/; SameSite=Strict; Max-Age=31536000`;
    if (body.dataset.zone === 'UTC') location.reload();
  }

  // Time as the server has it: in the sandbox it may run faster than ours.
  let base = { here: Date.now(), there: Date.now(), pace: 1 };
  const readClock = () => {
    const clock = document.getElementById('clock');
    if (clock) base = { here: Date.now(), there: Number(clock.dataset.now), pace: Number(clock.dataset.pace) || 1 };
  };
  const now = () => base.there + (Date.now() - base.here) * base.pace;

  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ];
  /** The two largest units: `4m 10s`, `2h`. The same words as the server's. */
  const length = (time) => {
    let left = Math.max(0, time);
    const parts = [];
    for (const [name, size] of units) {
      const count = Math.floor(left / size);
      if (count > 0 || (name === 's' && parts.length === 0)) parts.push(`${count}${name}`);
      left -= count * size;
      if (parts.length === 2) break;
    }
    return parts.join(' ');
  };

  const tick = () => {
    const at = now();
    for (const time of document.querySelectorAll('time[data-tick]')) {
      const then = Date.parse(time.dateTime);
      const { tick: kind } = time.dataset;
      const text =
        kind === 'for'
          ? length(at - then)
          : kind === 'ago'
            ? words.ago.replace('#', length(at - then))
            : then - at < 1000
              ? words.due
              : words.in.replace('#', length(then - at));
      if (time.textContent !== text) time.textContent = text;
    }
    for (const fuse of document.querySelectorAll('progress.fuse')) {
      fuse.value = Math.max(0, Math.min(fuse.max, Number(fuse.dataset.end) - at));
    }
  };
  readClock();
  setInterval(tick, 500);
  document.addEventListener('htmx:after:swap', () => {
    readClock();
    tick();
  });

  // Said for those who see and those who do not: whether what is shown is what is.
  const live = document.querySelector('.live');
  const say = (on) => {
    if (!live || live.dataset.state === String(on)) return;
    live.dataset.state = String(on);
    live.textContent = on ? live.dataset.on : live.dataset.off;
  };
  document.addEventListener('htmx:sse:after:connection', () => say(true));
  document.addEventListener('htmx:sse:after:message', () => say(true));
  document.addEventListener('htmx:sse:error', () => say(false));
  document.addEventListener('htmx:sse:close', () => say(false));

  // What was pressed answers at once, before the server does.
  document.addEventListener('submit', (event) => {
    const { submitter } = event;
    if (!submitter?.matches('[aria-pressed]')) return;
    for (const other of event.target.querySelectorAll('[aria-pressed]'))
      other.setAttribute('aria-pressed', String(other === submitter));
  });
})();

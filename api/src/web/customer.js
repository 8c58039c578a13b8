(() => {
  const root = document.documentElement, said = document.body.dataset;
  const part = (id) => document.getElementById(id);
  const put = (id, html) => { if (part(id).innerHTML !== html) part(id).innerHTML = html; };
  const path = location.pathname;
  const over = ['visited', 'delivered', 'failed', 'skipped'];
  // A sign of life comes each 10 s; without one for this long the line is dead, milliseconds.
  const quiet = 25000;
  let skew = 0, heard = Date.now(), opened = heard, source, waiting;

  const heardAt = (asOf) => {
    heard = Date.now();
    skew = Date.parse(asOf) - heard;
    root.dataset.state = 'live';
    part('offline').hidden = true;
  };
  const offline = () => {
    const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: said.zone };
    const time = new Date(heard).toLocaleTimeString(root.lang + '-u-nu-latn', clock);
    const told = part('offline').dataset.say.replace('{time}', time);
    if (part('offline').textContent !== told) part('offline').textContent = told;
    part('offline').hidden = false;
    root.dataset.state = 'offline';
  };
  const show = (frame) => {
    heardAt(frame.as_of);
    const parts = frame.parts;
    // Over: the page asks how it was instead of where to ring.
    if (over.includes(parts.stage) !== over.includes(root.dataset.stage)) return location.reload();
    document.title = parts.title;
    root.dataset.stage = parts.stage;
    root.dataset.standing = parts.standing;
    root.dataset.unseen = 'false';
    if (frame.base !== undefined) put('base', frame.base);
    for (const id of ['live', 'chip', 'over', 'steps']) put(id, parts[id]);
    tick();
  };
  // How old the position is; one of more than two minutes is withdrawn.
  const tick = () => {
    const age = document.querySelector('.age');
    if (!age) return;
    const seconds = Math.max(0, Math.floor((Date.now() + skew - Number(age.dataset.at)) / 1000));
    if (seconds > 120) {
      root.dataset.unseen = 'true';
      part('chip').textContent = said.unseen;
      return;
    }
    const [words, n] = seconds < 60 ? [said.s, seconds] : [said.min, Math.floor(seconds / 60)];
    age.textContent = words.replace('{n}', n);
  };
  setInterval(() => {
    tick();
    const dead = Date.now() - quiet;
    if (!source || source.readyState === EventSource.CLOSED || heard > dead) return;
    offline();
    if (opened < dead) again();
  }, 1000);

  // Where a stream is not to be had: the page itself, every 30 s.
  const poll = async () => {
    try {
      const answer = await fetch(location.href, { cache: 'no-store' });
      if (answer.status === 404) return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const id of ['live', 'chip', 'over', 'base', 'steps']) {
        put(id, page.getElementById(id).innerHTML);
      }
      document.title = page.title;
      Object.assign(root.dataset, page.documentElement.dataset);
      heardAt(new Date().toISOString());
    } catch {
      offline();
    }
    waiting = setTimeout(window.EventSource ? open : poll, 30000);
  };
  // Each frame is whole: whichever comes first after a gap is exactly how things are.
  const open = () => {
    clearTimeout(waiting);
    opened = Date.now();
    source = new EventSource(path + '/stream' + location.search);
    source.addEventListener('state', (event) => show(JSON.parse(event.data)));
    source.addEventListener('beat', (event) => heardAt(JSON.parse(event.data).as_of));
    source.addEventListener('end', () => { source.close(); location.reload(); });
    source.onerror = (event) => {
      if (event.target !== source) return;
      offline();
      if (source.readyState === EventSource.CLOSED) poll();
    };
  };
  const again = () => {
    if (source) source.close();
    open();
  };
  if (window.EventSource) open(); else waiting = setTimeout(poll, 30000);
  // What the browser says of the network may be wrong: asking tells.
  for (const event of ['offline', 'online']) {
    addEventListener(event, () => { if (window.EventSource) again(); else offline(); });
  }

  document.addEventListener('submit', async (event) => {
    const form = event.target, pressed = event.submitter;
    event.preventDefault();
    const sent = Object.fromEntries(new FormData(form));
    if (pressed && pressed.name) sent[pressed.name] = pressed.value;
    if (sent.rating) sent.rating = Number(sent.rating);
    if (pressed) pressed.disabled = true;
    try {
      const answer = await fetch(form.getAttribute('action'), {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(sent),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const told = form.querySelector('.saved');
      if (told) told.textContent = said.saved;
      else form.innerHTML = '<p role="status">' + pressed.textContent + ' ✓</p>';
    } catch {
      offline();
    }
    if (pressed) pressed.disabled = false;
  });
})();

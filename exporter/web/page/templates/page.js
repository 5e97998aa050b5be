"use strict";
// Writes the figures of /stream into the page, and fetches the page again when the exporter has new data.
(() => {
  const MINUS = "\u2212";
  const LISTS = { by_service: ["provider", "service_name"], budgets: ["budget", "period"] };
  const RECONNECT_MS = 10000;
  const AGAIN_MS = 4000;
  const MOST_TRIES = 5;

  const number = (value, places) =>
    Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });

  function money(value, centsBelow) {
    const text = "$" + number(value, Math.abs(value) < centsBelow ? 2 : 0);
    return (value < 0 && /[1-9]/.test(text) ? MINUS : "") + text;
  }

  const FORMS = {
    dollars: (value) => money(value, 9.995),
    rate: (value) => money(value, 99.995),
    percent: (value) => (value < 0 ? "-" : "") + number(Math.floor(Math.abs(value) * 100 + 1e-9), 0) + "%",
  };

  let latest = null;
  let shown = new Map();
  let tries = 0;
  let fetching = false;

  function startOf(summary, { list, first, second }) {
    if (!list) return summary;
    const [one, other] = LISTS[list];
    return summary[list].find((each) => each[one] === first && each[other] === second);
  }

  function valueOf(summary, data) {
    let found = startOf(summary, data);
    for (const name of data.figure.split(".")) found = found?.[name.replace("~", ".")];
    return found;
  }

  function write(summary) {
    for (const element of document.querySelectorAll("[data-figure]")) {
      const value = valueOf(summary, element.dataset);
      if (typeof value !== "number") continue;
      const text = FORMS[element.dataset.form](value);
      if (element.textContent !== text) element.textContent = text;
    }
  }

  const parts = (root) => root.querySelectorAll("[data-part]");

  function remember(root) {
    shown = new Map([...parts(root)].map((part) => [part.id, part.outerHTML]));
  }

  function replace(part, fresh) {
    const open = [...part.querySelectorAll("details")].map((each) => each.open);
    const controls = "a, summary, [tabindex]";
    const focused = [...part.querySelectorAll(controls)].indexOf(document.activeElement);
    const made = document.importNode(fresh, true);
    made.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? false; });
    part.replaceWith(made);
    if (focused >= 0) made.querySelectorAll(controls)[focused]?.focus({ preventScroll: true });
  }

  async function refresh() {
    if (fetching) return;
    fetching = true;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const page = document.getElementById("page");
      const freshPage = fresh.getElementById("page");
      if (!freshPage) return;
      for (const part of parts(fresh)) {
        const here = document.getElementById(part.id);
        if (here && shown.get(part.id) !== part.outerHTML) replace(here, part);
      }
      remember(fresh);
      Object.assign(page.dataset, freshPage.dataset);
      document.getElementById("as-of").replaceWith(document.importNode(fresh.getElementById("as-of"), true));
      if (latest) write(latest);
      askAgain(page);
    } catch {
      // The exporter stops or starts: the stream says when it is back.
    } finally {
      fetching = false;
    }
  }

  function askAgain(page) {
    // The ledger may still be asked for the chart of this data.
    if (page.dataset.asks !== "yes" || page.dataset.costsAsOf === page.dataset.asOf) tries = 0;
    else if (tries++ < MOST_TRIES) setTimeout(refresh, AGAIN_MS);
  }

  function listen() {
    const live = document.getElementById("live");
    const stream = new EventSource("stream");
    stream.addEventListener("summary", (event) => {
      latest = JSON.parse(event.data);
      live.hidden = false;
      write(latest);
      if (latest.as_of !== document.getElementById("page").dataset.asOf) refresh();
    });
    stream.addEventListener("error", () => {
      live.hidden = true;
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, RECONNECT_MS);
    });
  }

  remember(document);
  askAgain(document.getElementById("page"));
  listen();
})();

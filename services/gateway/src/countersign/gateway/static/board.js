// Keys, times that stay alive, copying, drafts, and a word when the stream ends. All works without.
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const UNITS = [[31536000, "y"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const span = (s) => {
    const [size, unit] = UNITS.find(([n]) => s >= n) || [1, "s"];
    return `${Math.floor(s / size)} ${unit}`;
  };
  const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function age(node) {
    const at = Date.parse(node.dateTime);
    if (Number.isNaN(at)) return;
    const passed = Math.floor((Date.now() - at) / 1000);
    const text = node.hasAttribute("data-coming")
      ? (passed < 0 ? `in ${span(-passed)}` : `${span(passed)} ago`)
      : span(Math.max(0, passed)) + (node.dataset.suffix || "");
    if (node.textContent !== text) node.textContent = text;
    const title = `${node.dateTime.replace("T", " ").replace("Z", " UTC")}\n${LOCAL.format(at)} here`;
    if (node.title !== title) node.title = title;
  }
  const ages = (root) => root.querySelectorAll("time[datetime]:not([data-fixed], [data-clock])").forEach(age);
  const come = () => document.querySelectorAll("[data-from][hidden]").forEach((node) => {
    node.hidden = Date.parse(node.dataset.from) > Date.now();
  });
  setInterval(() => { if (!document.hidden) { ages(document); come(); } }, 1000);

  const tracks = () => [...document.querySelectorAll(".track:not(.gone)")];
  const linkOf = (track) => track && track.querySelector(".track-link");
  const current = () => document.activeElement && document.activeElement.closest(".track");

  function step(by) {
    const all = tracks();
    if (!all.length) return;
    const at = all.indexOf(current());
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    const link = linkOf(next);
    if (link) { link.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
  }

  function promote() {
    const inside = (current() || document).querySelector("[data-promote]");
    if (inside) inside.click();
  }

  function help() {
    const dialog = document.getElementById("help");
    if (dialog && !dialog.open) dialog.showModal();
  }

  const KEYS = {
    "/": () => { const field = document.getElementById("search"); if (field) { field.focus(); field.select(); } },
    j: () => step(1),
    k: () => step(-1),
    p: promote,
    "?": help,
  };
  // Single keys can be turned off: https://www.w3.org/TR/WCAG22/#character-key-shortcuts
  const keysOff = () => { try { return localStorage.getItem("keys") === "off"; } catch { return false; } };
  function showKeys() {
    document.querySelectorAll("[data-keys]").forEach((box) => { box.checked = !keysOff(); });
    document.querySelectorAll(".field kbd").forEach((key) => { key.hidden = keysOff(); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target;
    if (target.closest("input, textarea, select, [contenteditable], dialog[open]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const act = KEYS[event.key];
    if (act && !keysOff()) { event.preventDefault(); act(); }
  });

  document.addEventListener("copy", (event) => {
    const picked = getSelection();
    const node = picked && picked.anchorNode && picked.anchorNode.parentElement;
    const code = node && node.closest("[data-copy]");
    if (code && picked.toString().trim() === code.textContent.trim()) {
      event.clipboardData.setData("text/plain", code.dataset.copy);
      event.preventDefault();
    }
  });

  function notice(text) {
    const line = document.getElementById("notice");
    if (line) line.textContent = text;
  }
  async function copy(text) {
    try { await navigator.clipboard.writeText(text); } catch {
      // Without TLS there is no clipboard but this one.
      const field = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    await copy(button.dataset.copy || button.previousElementSibling.textContent);
    const label = button.dataset.label || (button.dataset.label = button.textContent);
    button.textContent = "Copied";
    notice("Copied");
    setTimeout(() => { button.textContent = label; notice(""); }, 1500);
  });

  document.addEventListener("change", (event) => {
    if (event.target.id === "namespace") event.target.form.requestSubmit();
    if (event.target.matches("[data-keys]")) {
      try { localStorage.setItem("keys", event.target.checked ? "on" : "off"); } catch { /* not kept */ }
      showKeys();
    }
  });

  // What somebody types outlives what others do meanwhile, and a reload; sent, it is forgotten.
  const draftOf = (field) => `draft:${field.dataset.draft}`;
  const drafts = new Set();
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-draft]")) return;
    drafts.add(draftOf(event.target));
    sessionStorage.setItem(draftOf(event.target), event.target.value);
  });
  document.addEventListener("submit", (event) => {
    event.target.querySelectorAll("[data-draft]").forEach((f) => { drafts.delete(draftOf(f)); sessionStorage.removeItem(draftOf(f)); });
  });
  function restoreDrafts() {
    const fields = [...document.querySelectorAll("[data-draft]")];
    for (const field of fields) {
      const text = sessionStorage.getItem(draftOf(field));
      if (!text) continue;
      drafts.add(draftOf(field));
      if (!field.value) { field.value = text; field.closest("details").open = true; }
    }
    const kept = document.getElementById("kept");
    if (!kept) return;
    const here = new Set(fields.map(draftOf));
    const left = [...drafts].filter((d) => !here.has(d)).map((d) => sessionStorage.getItem(d)).filter(Boolean);
    if (kept.hidden !== !left.length) kept.hidden = !left.length;
    if (left.length && kept.querySelector("blockquote").textContent !== left[0]) {
      kept.querySelector("blockquote").textContent = left[0];
      kept.querySelector("button").dataset.copy = left[0];
    }
  }

  // Only what really changed fades in.
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const watched = new MutationObserver((changes) => {
    const cells = new Set();
    for (const change of changes) {
      const node = change.target.nodeType === 1 ? change.target : change.target.parentElement;
      if (!node || node.closest("time")) continue;
      const cell = node.closest(".gate, .track .environment, .card, .now, .count");
      if (cell) cells.add(cell);
    }
    ages(document);
    hold();
    restoreDrafts();
    if (calm.matches) return;
    cells.forEach((cell) => cell.animate([{ opacity: 0.25 }, { opacity: 1 }], { duration: 150 }));
  });

  // While the bus is away, actions wait; what was typed stays.
  function hold() {
    const lost = Boolean(document.querySelector("#banner .lost"));
    document.querySelectorAll("main form[method=post] button").forEach((button) => {
      if (lost && !button.disabled) { button.disabled = true; button.dataset.held = ""; }
      else if (!lost && "held" in button.dataset) { button.disabled = false; delete button.dataset.held; }
    });
  }

  function openNamed() {
    const named = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (named && named.tagName === "DETAILS") named.open = true;
  }

  function ended(text) {
    const banner = document.getElementById("banner");
    if (!banner) return;
    const line = document.createElement("p");
    line.className = "banner wait lost";
    line.textContent = text;
    banner.replaceChildren(line);
    notice(text);
  }

  addEventListener("DOMContentLoaded", () => {
    ages(document);
    showKeys();
    restoreDrafts();
    openNamed();
    const main = document.getElementById("main");
    if (main) watched.observe(main, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["class", "href"] });
    const banner = document.getElementById("banner");
    if (banner) new MutationObserver(hold).observe(banner, { childList: true, subtree: true });
    hold();
    const stream = document.getElementById("stream");
    if (!stream) return;
    let lost = false;
    stream.addEventListener("signed-out", () => ended("Your session has ended. Load the page to sign in again; what you see is from before."));
    stream.addEventListener("rights-changed", () => location.reload());
    document.addEventListener("htmx:sse:error", (event) => {
      const status = event.detail && event.detail.status;
      if (status === 401) ended("Your session has ended. Load the page to sign in again; what you see is from before.");
      else if (!lost) { lost = true; ended("The connection to Countersign was lost just now. What you see may be old. Countersign keeps trying to reconnect."); }
    });
    document.addEventListener("htmx:sse:after:connection", () => {
      if (lost) { lost = false; document.getElementById("banner").replaceChildren(); notice(""); }
    });
  });
  addEventListener("hashchange", openNamed);
})();

// What pages do better with scripts: times in the reader's own zone, a countdown, counters, buttons that copy. Nothing
// here is needed to work with the pages.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const full = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const utc = (date) => date.toISOString().slice(0, 16).replace("T", " ") + " UTC";
  for (const time of document.querySelectorAll("time[data-local]")) {
    const date = new Date(time.dateTime);
    if (!isNaN(date)) time.title = full.format(date) + " (" + zone + "), " + utc(date);
  }
  for (const time of document.querySelectorAll("time[data-clock]")) {
    const date = new Date(time.dateTime);
    if (!isNaN(date) && zone !== "UTC") time.textContent = clock.format(date) + " (" + utc(date).slice(11) + ")";
  }
  for (const time of document.querySelectorAll("time[data-until]")) {
    const date = new Date(time.dateTime);
    const tell = () => {
      const left = Math.max(0, Math.round((date - Date.now()) / 1000));
      const words = left >= 60 ? Math.floor(left / 60) + " min " + (left % 60) + " s" : left + " s";
      time.textContent = left > 0 ? "in " + words + ", at " + clock.format(date) + " (" + utc(date).slice(11) + ")" : "now";
      if (left === 0) clearInterval(timer);
    };
    const timer = setInterval(tell, 1000);
    tell();
  }
  const graphemes = (text) =>
    window.Intl && Intl.Segmenter ? [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)].length : [...text].length;
  // twitter-text, version 3: most scripts of Europe and the Near East weigh one, all others two, an address 23.
  const light = (point) => point <= 0x10ff || (point >= 0x2000 && point <= 0x200d) || (point >= 0x2010 && point <= 0x201f) || (point >= 0x2032 && point <= 0x2037);
  const weigh = (text) => {
    let weight = 0;
    const rest = text.normalize("NFC").replace(/https?:\/\/\S+/g, () => ((weight += 23), ""));
    const parts = window.Intl && Intl.Segmenter ? [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(rest)].map((part) => part.segment) : [...rest];
    for (const part of parts) {
      if (/\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(part)) weight += 2;
      else for (const sign of part) weight += light(sign.codePointAt(0)) ? 1 : 2;
    }
    return weight;
  };
  const counts = {
    x: weigh,
    bluesky: graphemes,
    mastodon: (text) => graphemes(text.replace(/https?:\/\/\S+/g, "x".repeat(23)).replace(/(@\w+)@[\w.-]+/g, "$1")),
    linkedin: (text) => text.length,
  };
  for (const box of document.querySelectorAll("[data-count]")) {
    const count = counts[box.dataset.by] || ((text) => [...text.trim()].length);
    let shown = box.id && document.getElementById("count-" + box.id);
    if (!shown) {
      shown = document.createElement("p");
      shown.className = "count";
      box.after(shown);
    }
    const tell = () => {
      const used = count(box.value);
      shown.textContent = used + " / " + box.dataset.count;
      shown.classList.toggle("over-limit", used > Number(box.dataset.count));
    };
    box.addEventListener("input", tell);
    tell();
  }
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = document.getElementById(button.dataset.copy);
      await navigator.clipboard.writeText(from.value || from.textContent);
      button.textContent = "Copied";
    });
  }
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.focus({ preventScroll: true });
})();

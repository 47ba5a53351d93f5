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
  const clusters = (text) => (window.Intl && Intl.Segmenter ? [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)].map((part) => part.segment) : [...text]);
  // What counts how much is said by the page; here is only how to add it up.
  const lengthOf = (text, { unit, link, light, shortMentions }) => {
    let links = 0;
    // An address leaves a break in its place, which counts one.
    if (link) text = text.replace(/https?:\/\/\S+/g, () => ((links += link - 1), "\n"));
    if (shortMentions !== undefined) text = text.replace(/(@\w+)@[\w.-]+/g, "$1");
    if (unit === "unit") return links + text.length;
    const parts = clusters(unit === "weight" ? text.normalize("NFC") : text);
    if (unit !== "weight") return links + parts.length;
    const ranges = light.split(" ").map((range) => range.split("-").map((point) => parseInt(point, 16)));
    const weigh = (sign) => (ranges.some(([first, last]) => sign.codePointAt(0) >= first && sign.codePointAt(0) <= last) ? 1 : 2);
    const one = (part) => ([...part][1] && /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u.test(part) ? 2 : [...part].reduce((sum, sign) => sum + weigh(sign), 0));
    return parts.reduce((sum, part) => sum + one(part), links);
  };
  for (const box of document.querySelectorAll("[data-count]")) {
    const count = (text) => (box.dataset.unit ? lengthOf(text, box.dataset) : [...text.trim()].length);
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

// What a page must hold for people who do not see it, or do not use a mouse (WCAG 2.2, levels A and AA, as far as a
// program can tell). Answers the faults, each in a line.
(() => {
  const faults = [];
  const said = (element) => {
    const text = element.outerHTML.replace(/\s+/g, " ");
    return text.length > 140 ? text.slice(0, 140) + "…" : text;
  };
  const fault = (rule, element, more = "") => faults.push(rule + (more && " " + more) + (element ? ": " + said(element) : ""));
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  };
  const byIds = (ids) => (ids || "").split(/\s+/).filter(Boolean).map((id) => document.getElementById(id));
  const nameOf = (element) => {
    const labelled = byIds(element.getAttribute("aria-labelledby")).map((label) => label && label.textContent).join(" ");
    const labels = element.labels ? [...element.labels].map((label) => label.textContent).join(" ") : "";
    const own = element.matches("input, select, textarea") ? "" : element.textContent;
    return [labelled, element.getAttribute("aria-label") || "", labels, own, element.title].join(" ").trim();
  };

  if (!document.documentElement.lang) fault("the page names no language");
  if (!document.title.trim()) fault("the page has no title");
  for (const [selector, count] of [["h1", 1], ["main", 1]]) {
    if (all(selector).length !== count) fault(`there are ${all(selector).length} of ${selector}`);
  }
  if (!document.querySelector("a[href='#main']")) fault("no link leads past the navigation");
  let level = 0;
  for (const head of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
    const now = Number(head.tagName[1]);
    if (now > level + 1) fault(`a heading of level ${now} follows one of ${level}`, head);
    if (!head.textContent.trim()) fault("a heading is empty", head);
    level = now;
  }
  const seen = new Set();
  for (const element of all("[id]")) {
    if (seen.has(element.id)) fault("an id stands twice", element);
    seen.add(element.id);
  }
  for (const element of all("[aria-labelledby], [aria-describedby], label[for]")) {
    const ids = [element.getAttribute("aria-labelledby"), element.getAttribute("aria-describedby"), element.getAttribute("for")];
    if (byIds(ids.filter(Boolean).join(" ")).includes(null)) fault("a label names what is not there", element);
  }
  const controls = all("a[href], button, summary, input:not([type=hidden]), select, textarea, iframe, [role=group], [role=region], nav");
  for (const element of controls.filter(shown)) if (!nameOf(element)) fault("it has no name", element);
  for (const element of all("a a, a button, button a, button button, label a, summary button, summary a")) fault("one control stands in another", element);
  for (const image of all("img")) if (!image.hasAttribute("alt")) fault("an image has no alternative", image);
  for (const image of all("svg")) {
    if (!image.closest("[aria-hidden=true]") && !(image.getAttribute("role") === "img" && image.getAttribute("aria-label"))) {
      fault("a drawing has no alternative", image);
    }
  }
  for (const item of all("li")) if (!item.parentElement.matches("ul, ol, menu")) fault("an item stands in no list", item);
  for (const item of all("ul > *, ol > *")) if (item.tagName !== "LI") fault("a list holds what is no item", item);
  for (const item of all("dl > *")) if (!item.matches("dt, dd, div")) fault("a list of pairs holds something else", item);
  for (const table of all("table")) if (!table.querySelector("th[scope]")) fault("a table has no heads", table);
  for (const element of all("[tabindex]")) if (element.tabIndex > 0) fault("the order of focus is forced", element);
  for (const element of all("body *")) {
    const style = getComputedStyle(element);
    const scrolls = /auto|scroll/.test(style.overflowX + style.overflowY) && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1);
    if (scrolls && shown(element) && element.tabIndex < 0 && !element.querySelector("a, button, input, textarea")) fault("it scrolls, but not by keyboard", element);
  }

  // Targets of 24 by 24 pixels; links within text are excepted (2.5.8).
  for (const element of all("button, summary, select, textarea, input:not([type=hidden]), nav a, header a").filter(shown)) {
    const box = element.getBoundingClientRect();
    if (element.matches(".skip")) continue;
    if (box.width < 23.9 || box.height < 23.9) fault(`a target of ${Math.round(box.width)} × ${Math.round(box.height)}`, element);
  }

  const channels = (color) => {
    const parts = color.match(/[\d.]+/g).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const luminance = ([r, g, b]) => {
    const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = channels(getComputedStyle(at).backgroundColor);
      if (alpha > 0.99) return rgb;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element || element.closest("script, style, svg, option") || !shown(element)) continue;
    const style = getComputedStyle(element);
    const [one, other] = [luminance(channels(style.color).rgb), luminance(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5) - 0.005) fault(`a contrast of ${contrast.toFixed(2)}`, element);
    if (size < 12) fault(`text of ${size} pixels`, element);
  }
  // Nothing is read sideways on a narrow screen (1.4.10, and tables too).
  for (const element of all("main *")) {
    const { overflowX } = getComputedStyle(element);
    if (innerWidth <= 320 && /auto|scroll/.test(overflowX) && element.scrollWidth > element.clientWidth + 1 && shown(element)) {
      fault(`it scrolls sideways, ${element.scrollWidth} in ${element.clientWidth}`, element);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) {
    fault(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
  }
  return faults;
})();

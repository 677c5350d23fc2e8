// Names and tab stops that the theme leaves out, for readers who hear the page or use the keyboard.
const name = () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  // Groups of the navigation have equal titles ("Start"): each is named with those around it.
  document.querySelectorAll(".md-nav .md-nav:not([data-named])").forEach((each) => {
    const around = each.parentElement.closest(".md-nav .md-nav")?.getAttribute("aria-label");
    const title = each.querySelector(":scope > .md-nav__title")?.textContent.trim();
    const own = title ?? each.getAttribute("aria-label");
    each.removeAttribute("aria-labelledby");
    each.setAttribute("aria-label", [around, own].filter(Boolean).join(", "));
    each.dataset.named = "";
  });
  document.querySelectorAll(".md-code__nav").forEach((each, number) => {
    each.setAttribute("aria-label", `Code ${number + 1}`);
  });
  document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code").forEach((each) => {
    if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
  });
};
document.addEventListener("DOMContentLoaded", name);
new MutationObserver(name).observe(document.documentElement, { childList: true, subtree: true });

// Names and tab stops that the theme leaves out, for readers who hear the page or use the keyboard.
const name = () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  // Below the navigation, groups have the same titles: groups, then, and no landmarks.
  document.querySelectorAll(".md-nav .md-nav").forEach((each) => {
    each.setAttribute("role", "group");
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

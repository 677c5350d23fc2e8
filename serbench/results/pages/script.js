// Adds to pages that read well without it: sorting and filtering of tables, copying of commands.
"use strict";
(() => {
  document.documentElement.classList.add("js");

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // ---- tables ----

  const NUMBER = /^[+−-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?/i;

  /** What a cell is sorted by: its data-value, a leading number, or its text. */
  const sortKey = (cell) => {
    const text = (cell?.dataset.value ?? cell?.textContent ?? "").trim();
    const found = NUMBER.exec(text);
    if (found && !Number.isNaN(Number(found[0].replace("−", "-").replaceAll(",", "")))) {
      return Number(found[0].replace("−", "-").replaceAll(",", ""));
    }
    return text === "–" ? "" : text;
  };

  /** Numbers before texts, nothing last. */
  const compare = (one, other) => {
    if (one === other) return 0;
    if (one === "") return 1;
    if (other === "") return -1;
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    if (typeof one === "number") return one - other;
    return one.localeCompare(other, "en", { numeric: true });
  };

  const sortBy = (table, column, descending) => {
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("heading"));
      const keyed = rows.map((row) => ({ row, key: sortKey(row.cells[column]) }));
      keyed.sort((a, b) => {
        const order = compare(a.key, b.key);
        return descending && a.key !== "" && b.key !== "" ? -order : order;
      });
      body.append(...keyed.map(({ row }) => row));
    }
  };

  const makeSortable = (table) => {
    const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    headings.forEach((heading, column) => {
      const button = element("button", { type: "button", className: "sort" });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const numeric = heading.classList.contains("num");
        const before = heading.getAttribute("aria-sort");
        const descending = before ? before === "ascending" : numeric;
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sortBy(table, column, descending);
      });
    });
  };

  const makeFilterable = (table) => {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows])
      .filter((row) => !row.classList.contains("heading"));
    const search = element("input", { type: "search" });
    const count = element("output");
    const box = element("div", { className: "filters" }, element("label", {}, "Search", search));
    const menus = [];
    [...table.tHead.rows[table.tHead.rows.length - 1].cells].forEach((heading, column) => {
      if (!heading.hasAttribute("data-filter")) return;
      const values = [...new Set(rows.map((row) => row.cells[column].textContent.trim()))];
      const menu = element("select", {}, element("option", { value: "" }, "all"));
      values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      menu.append(...values.map((value) => element("option", { value }, value)));
      menus.push({ menu, column });
      box.append(element("label", {}, heading.textContent.trim(), menu));
    });
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !(words.every((word) => text.includes(word)) && menus.every(
          ({ menu, column }) => !menu.value || row.cells[column].textContent.trim() === menu.value,
        ));
        shown += row.hidden ? 0 : 1;
      }
      for (const body of table.tBodies) {
        const heading = body.querySelector("tr.heading");
        if (heading) heading.hidden = ![...body.rows].some((row) => row !== heading && !row.hidden);
      }
      count.value = `${shown} of ${rows.length} rows`;
    };
    box.append(count);
    box.addEventListener("input", apply);
    (table.closest(".scroll") ?? table).before(box);
    apply();
  };

  document.querySelectorAll("table[data-filterable]").forEach(makeFilterable);
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);

  // ---- boxes that hold more than they show ----

  const hint = (box) => {
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  };
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => hint(target)));
  document.querySelectorAll(".scroll").forEach((box) => {
    box.addEventListener("scroll", () => hint(box), { passive: true });
    resized.observe(box);
  });

  // ---- commands ----

  /** Without the clipboard (pages opened from a disk may lack it), selects the text instead. */
  const copy = async (block, button) => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };

  document.querySelectorAll("pre[data-copy]").forEach((block) => {
    const button = element("button", { type: "button", className: "copy" }, "Copy");
    const label = block.parentElement.getAttribute("aria-label");
    if (label) button.setAttribute("aria-description", label);
    button.addEventListener("click", () => copy(block.firstElementChild, button));
    block.after(button);
  });
  // ---- what a number is made of ----

  const KINDS = { t: "truth", s: "speaker", f: "fold" };

  /** The predictions that a cell counts: one for each seed and utterance that fit its trace. */
  const predictionsOf = (data, wanted) => {
    const method = data.methods[wanted.m];
    const found = [];
    data.utterances.forEach((utterance, place) => {
      for (const [key, list] of Object.entries(KINDS)) {
        if (key in wanted && data[list][place] !== wanted[key]) return;
      }
      method.seeds.forEach((seed, index) => {
        const predicted = method.predicted[index][place];
        if ("p" in wanted && predicted !== wanted.p) return;
        found.push([
          utterance, data.speakers[data.speaker[place]], data.fold[place], seed,
          data.labels[data.truth[place]], data.labels[predicted],
          `${method.confidence[index][place]} %`,
        ]);
      });
    });
    return found;
  };

  const titleOf = (data, wanted, count) => {
    const parts = [data.methods[wanted.m].name];
    if ("t" in wanted) parts.push(`true class ${data.labels[wanted.t]}`);
    if ("p" in wanted) parts.push(`predicted ${data.labels[wanted.p]}`);
    if ("s" in wanted) parts.push(`speaker ${data.speakers[wanted.s]}`);
    if ("f" in wanted) parts.push(`fold ${wanted.f}`);
    return `${parts.join(", ")}: ${count} prediction${count === 1 ? "" : "s"}`;
  };

  const MOST_ROWS = 1000;
  const COLUMNS = ["Utterance", "Speaker", "Fold", "Seed", "True", "Predicted", "Confidence"];

  const listing = (rows, label) => {
    const head = element("tr");
    head.append(...COLUMNS.map((each) => element("th", { scope: "col" }, each)));
    const body = element("tbody");
    for (const cells of rows.slice(0, MOST_ROWS)) {
      const [first, ...rest] = cells.map(String);
      body.append(element(
        "tr", {}, element("th", { scope: "row" }, first), ...rest.map((each) => element("td", {}, each)),
      ));
    }
    const box = element("div", { className: "scroll", tabIndex: 0 });
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", label);
    box.append(element("table", {}, element("thead", {}, head), body));
    return box;
  };

  const openOrigin = (data, button, figure) => {
    const close = () => {
      figure.querySelector(".origin")?.remove();
      figure.querySelectorAll("button.trace[aria-expanded=true]").forEach(
        (each) => each.setAttribute("aria-expanded", "false"),
      );
    };
    const again = button.getAttribute("aria-expanded") === "true";
    close();
    if (again) return;
    const wanted = Object.fromEntries(
      [...new URLSearchParams(button.parentElement.dataset.trace)].map(([k, v]) => [k, Number(v)]),
    );
    const rows = predictionsOf(data, wanted);
    const title = titleOf(data, wanted, rows.length);
    const shut = element("button", { type: "button", className: "close" }, "Close");
    shut.addEventListener("click", () => { close(); button.focus(); });
    const heading = element("h3", { tabIndex: -1 }, title);
    const run = data.methods[wanted.m].run;
    const cut = rows.length > MOST_ROWS ? ` (the first ${MOST_ROWS})` : "";
    const panel = element(
      "div", { className: "origin" }, shut, heading,
      element("p", {}, `Run ${run}, predictions.parquet${cut}`), listing(rows, title),
    );
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") shut.click(); });
    figure.querySelector(".scroll").after(panel);
    button.setAttribute("aria-expanded", "true");
    heading.focus();
  };

  const traced = document.getElementById("trace-data");
  if (traced) {
    const data = JSON.parse(traced.textContent);
    document.querySelectorAll("[data-trace]").forEach((cell) => {
      const button = element("button", { type: "button", className: "trace" });
      button.setAttribute("aria-expanded", "false");
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => openOrigin(data, button, cell.closest(".traced")));
    });
  }

  // ---- paper ----

  const opened = new Set();
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open]):not(.numbers)").forEach((each) => {
      each.open = true;
      opened.add(each);
    });
  });
  addEventListener("afterprint", () => {
    opened.forEach((each) => { each.open = false; });
    opened.clear();
  });
})();

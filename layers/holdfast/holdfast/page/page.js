"use strict";
// Shows the table, filters and sorts it. Names are somebody else's: they become text, never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = Date.parse(data.at);
  const PAGE = 100, MOST_PRINTED = 1000, STALE_HOURS = 3, LONGEST_SHOWN = 280;
  const WORDS = { k: "kept", l: "kept until the next run", p: "pending", f: "failed", m: "missing", "-": "none wanted" };
  const $ = (id) => document.getElementById(id);
  const make = (name, text, cls) => {
    const one = document.createElement(name);
    if (text !== undefined) one.textContent = text;
    if (cls) one.className = cls;
    return one;
  };

  const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (iso) => {
    const one = new Date(iso);
    const year = iso.slice(0, 4) === data.at.slice(0, 4) ? "" : ` ${iso.slice(0, 4)}`;
    return `${one.getUTCDate()} ${MONTHS[one.getUTCMonth()]}${year}`;
  };
  const moment = (iso) => `${DAYS[new Date(iso).getUTCDay()]} ${day(iso)}, ${iso.slice(11, 16)}`;
  const span = (milliseconds) => {
    const hours = Math.floor(milliseconds / 3.6e6);
    if (hours < 1) return `${Math.max(0, Math.floor(milliseconds / 6e4))} min`;
    return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
  };

  // What is filtered and sorted by, of each row, once.
  const rows = data.rows.map((row, number) => {
    const lines = row[4];
    const ages = lines.map((line) => (line[3] ? at - Date.parse(line[3]) : Infinity));
    return {
      row, number, lines,
      text: `${row[2]} ${row[3]}`.toLowerCase(),
      name: `${data.kinds[row[1]]} ${row[2]}`,
      health: Math.min(...lines.map((line) => line[1])),
      age: Math.max(...ages),
      next: lines.map((line) => line[8] || "9").sort()[0],
      cost: lines.reduce((sum, line) => sum + Number(line[9] || 0), 0),
    };
  });

  let shown = rows, limit = PAGE, key = "health", upwards = true;

  const compare = (one, other) => {
    const [a, b] = [one[key], other[key]];
    const order = a < b ? -1 : a > b ? 1 : 0;
    return (upwards ? order : -order) || (one.name < other.name ? -1 : one.name > other.name ? 1 : one.number - other.number);
  };

  const strip = (plan, line) => {
    const [letters, reasons, older, oldest] = data.strips[line[7]];
    const columns = data.columns[plan];
    const box = make("span", undefined, "strip");
    box.setAttribute("role", "img");
    const counts = {};
    let reason = 0;
    for (let index = 0; index < letters.length; index += 1) {
      const letter = letters[index];
      const bar = make("i", undefined, letter);
      let words = `${moment(columns[index])}: ${WORDS[letter]}`;
      if (letter !== "-") {
        const why = data.reasons[reasons[reason]];
        reason += 1;
        if (why) words += ` (${why})`;
        counts[letter] = (counts[letter] || 0) + 1;
      }
      bar.title = words;
      box.append(bar);
    }
    const said = Object.keys(WORDS).filter((letter) => counts[letter]).map((letter) => `${counts[letter]} ${WORDS[letter]}`);
    const extra = older ? [`${older} older, since ${day(oldest)}`] : [];
    const missing = [...letters].flatMap((letter, index) => (letter === "m" || letter === "f" ? [`${day(columns[index])} ${WORDS[letter]}`] : []));
    box.setAttribute("aria-label", [...said, ...extra].join(", ") + (missing.length ? `: ${missing.slice(0, 6).join(", ")}` : "") || "no backup");
    return box;
  };

  // What stands, of what the plan keeps once it is full; and what is left of the strip.
  const summary = (line) => {
    const [, , older, oldest] = data.strips[line[7]];
    return `${line[5]} of ${line[6]} kept${older ? `, ${older} before these, since ${day(oldest)}` : ""}`;
  };

  const why = (text) => {
    if (text.length <= LONGEST_SHOWN) return make("p", text, "why");
    const all = make("details", undefined, "why");
    const head = make("summary", `${text.slice(0, LONGEST_SHOWN)}… `);
    head.append(make("span", "all of it"));
    all.append(head, make("p", text));
    return all;
  };

  const cell = (label, cls) => {
    const one = make("td", undefined, cls);
    one.dataset.label = label;
    return one;
  };

  const body = (item) => {
    const [plan, kind, name, arn] = item.row;
    const group = make("tbody");
    const tone = (line) => data.healths[line[1]][1];
    const explained = item.lines.filter((line) => tone(line) !== "fine");
    item.lines.forEach((line, position) => {
      const tr = make("tr", undefined, tone(line));
      if (position === 0) {
        const th = make("th");
        th.scope = "rowgroup";
        th.rowSpan = item.lines.length + explained.length;
        th.title = arn;
        th.append(make("b", name), make("small", `${data.kinds[kind]}, plan ${data.plans[plan]}`));
        tr.append(th);
      }
      const health = cell("Health");
      health.append(make("span", data.healths[line[1]][0], `tag ${tone(line)}`));
      const place = cell("Place");
      place.append(data.places[line[0]]);
      const timeline = cell("Timeline", "bare");
      timeline.append(strip(plan, line), make("small", summary(line)));
      const newest = cell("Newest");
      if (line[3]) {
        newest.append(`${span(at - Date.parse(line[3]))} `, make("small", `of ${line[4]} h allowed`));
        newest.title = moment(line[3]);
      } else newest.append(make("span", "none", "none"));
      const next = cell("Next deletion");
      if (line[8]) next.append(`${DAYS[new Date(line[8]).getUTCDay()]} ${day(line[8])} `, make("small", `${line[8].slice(11, 16)} UTC`));
      else next.append(make("span", "none foreseen", "none"));
      const cost = cell("A month", "number");
      cost.append(line[9] === null ? make("span", "not known", "none") : `$${line[9]} `);
      if (line[10] !== null) cost.append(make("small", `$${line[10]} when full`));
      cost.title = data.rules[line[11]];
      tr.append(health, place, timeline, newest, next, cost);
      group.append(tr);
      if (explained.includes(line)) {
        const because = make("tr", undefined, `because ${tone(line)}`);
        const reason = cell("Why", "bare");
        reason.colSpan = 6;
        reason.append(why(data.reasons[line[2]]));
        because.append(reason);
        group.append(because);
      }
    });
    return group;
  };

  const table = $("table");
  const draw = (from) => {
    if (from === 0) table.querySelectorAll("tbody").forEach((one) => one.remove());
    const fragment = document.createDocumentFragment();
    shown.slice(from, limit).forEach((item) => fragment.append(body(item)));
    table.append(fragment);
    $("more").hidden = shown.length <= limit;
    $("more").textContent = `Show ${Math.min(PAGE, Math.max(0, shown.length - limit))} more`;
    const some = shown.length > limit ? `, the first ${limit} shown` : "";
    $("count").textContent = `${shown.length} of ${rows.length} resources${some}`;
  };

  const chosen = (id) => ($(id).value === "" ? null : Number($(id).value));
  const update = () => {
    const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [health, plan, kind, place] = ["health", "plan", "kind", "place"].map(chosen);
    shown = rows.filter((item) =>
      words.every((word) => item.text.includes(word)) &&
      (plan === null || item.row[0] === plan) && (kind === null || item.row[1] === kind) &&
      (health === null && place === null || item.lines.some((line) =>
        (health === null || line[1] === health) && (place === null || line[0] === place))));
    shown.sort(compare);
    limit = PAGE;
    draw(0);
  };

  const fill = (id, names, used) => names.forEach((name, index) => {
    if (!used || used.has(index)) $(id).append(Object.assign(make("option", id === "health" ? name[0] : name), { value: index }));
  });
  fill("health", data.healths, new Set(rows.flatMap((item) => item.lines.map((line) => line[1]))));
  fill("plan", data.plans);
  fill("kind", data.kinds);
  fill("place", data.places);

  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("input", update);
  table.querySelectorAll("th[data-sort] button").forEach((button) => button.addEventListener("click", () => {
    const head = button.closest("th");
    upwards = head.dataset.sort === key ? !upwards : head.dataset.sort !== "age" && head.dataset.sort !== "cost";
    key = head.dataset.sort;
    table.querySelectorAll("th[aria-sort]").forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    update();
  }));
  $("more").addEventListener("click", () => {
    const from = limit;
    limit += PAGE;
    draw(from);
  });

  const print = () => {
    const from = limit;
    limit = Math.min(shown.length, Math.max(limit, MOST_PRINTED));
    if (limit > from) draw(from);
    $("left").hidden = shown.length <= limit;
    $("left").textContent = `${shown.length - limit} more resources are not printed: filter the table first.`;
  };
  window.addEventListener("beforeprint", print);
  window.addEventListener("afterprint", () => { $("left").hidden = true; });

  const theme = $("theme");
  const isDark = () => {
    const set = document.documentElement.dataset.theme;
    return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    name();
  });

  const old = () => {
    const hours = (Date.now() - at) / 3.6e6;
    $("stale").hidden = hours <= STALE_HOURS;
    if (hours > STALE_HOURS) {
      $("stale").textContent = `This page is ${span(hours * 3.6e6)} old. Fetch it again; if it is still this old, the hourly check does not run: look at the alarms.`;
    }
  };
  old();
  setInterval(old, 60000);
  name();
  theme.hidden = false;
  if (rows.length) {
    ["filters", "legend", "table"].forEach((id) => { $(id).hidden = false; });
    update();
  } else {
    $("count").textContent = "There is none.";
  }
})();

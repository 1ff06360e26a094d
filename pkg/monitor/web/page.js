// Keeps the page true while it is looked at: asks once a second, and builds rows from text only, never from markup.
"use strict";

const byID = (id) => document.getElementById(id);
const second = 1000;

const state = {
  view: document.body.dataset.view,
  search: byID("search").value,
  from: Number(new URLSearchParams(location.search).get("from")) || 0,
  applied: null, // when the policy was applied that a static view shows
  open: new Set(), // keys of rows whose details are shown
  sure: null, // key of the row that is about to be deleted
  token: "", // never stored: a page that is loaded anew has forgotten it
  number: 0, // of the newest question
};

// make builds an element with a text.
function make(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function fill(list, fields) {
  list.replaceChildren(...fields.map((f) => {
    const div = make("div");
    div.append(make("dt", f.name), make("dd", f.text));
    return div;
  }));
}

async function get(path) {
  const r = await fetch(path, { cache: "no-store" });
  if (!r.ok) throw new Error((await r.text()).trim() || r.statusText);
  return r.json();
}

const query = (extra) => new URLSearchParams({ ...(state.search && { search: state.search }), ...(state.from && { from: state.from }), ...extra }).toString();

// refresh asks for the head, and for the rows if they may have changed.
async function refresh() {
  const number = ++state.number;
  try {
    const head = await get("/head");
    if (number !== state.number) return;
    showHead(head);
    if (state.applied !== head.applied) {
      const data = await get(`/data/${state.view}?${query()}`);
      if (number !== state.number) return;
      showTable(data);
    }
    lost("");
  } catch (e) {
    if (number === state.number) lost(e.message);
  }
}

function showHead(head) {
  fill(byID("head"), head.head);
  const facts = byID("facts");
  facts.hidden = state.view !== "policy";
  if (!facts.hidden) fill(facts, head.facts);
}

function lost(why) {
  const p = byID("lost");
  if (!why) {
    p.hidden = true;
  } else if (p.hidden) {
    p.textContent = `No answer since ${new Date().toLocaleTimeString()}, asking again: ${why}`;
    p.hidden = false;
  }
}

function showTable(data) {
  state.applied = data.static ? data.since : null;
  const columns = data.table.columns, rows = data.table.rows || [];
  const head = make("tr");
  for (const c of [{ title: "Details", first: true }, ...columns]) {
    const th = make("th", undefined, c.number ? "number" : "");
    th.append(c.first ? make("span", c.title, "unseen") : c.title);
    th.scope = "col";
    head.append(th);
  }
  const body = [];
  for (const r of rows) {
    body.push(rowOf(r, columns));
    if (state.open.has(r.key)) body.push(detailsOf(r, columns.length + 1));
  }
  const focused = document.activeElement && document.activeElement.dataset.focus;
  const table = byID("table");
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...body);
  if (focused) {
    for (const b of table.querySelectorAll("button")) if (b.dataset.focus === focused) b.focus();
  }
  pages(data);
}

function rowOf(r, columns) {
  const tr = make("tr", undefined, r.alarm ? "alarm" : "");
  const act = make("td", undefined, "act"), open = state.open.has(r.key), sure = state.sure === r.key;
  const show = button("details " + r.key, open ? "▾" : "▸", () => {
    if (!state.open.delete(r.key)) state.open.add(r.key);
    again();
  });
  show.setAttribute("aria-expanded", String(open));
  show.setAttribute("aria-label", `${open ? "Hide" : "Show"} details of ${r.cells[0]}`);
  if ((r.details || []).length > r.cells.length) act.append(show);
  if (state.token && r.sa) {
    act.append(" ", button("rekey " + r.key, "Rekey", () => change("rekey", r.sa)));
    act.append(" ", button("delete " + r.key, sure ? "Really delete" : "Delete", () => {
      state.sure = sure ? null : r.key;
      if (sure) change("delete", r.sa);
      else again();
    }));
  }
  tr.append(act);
  r.cells.forEach((c, i) => {
    const width = columns[i].number ? "number" : c.length < 34 ? "short" : "long";
    tr.append(make("td", c, i === 0 ? width + " alarmed" : width));
  });
  return tr;
}

function button(focus, text, click) {
  const b = make("button", text);
  b.type = "button";
  b.dataset.focus = focus;
  b.addEventListener("click", click);
  return b;
}

function detailsOf(r, width) {
  const tr = make("tr", undefined, "details"), td = make("td"), dl = make("dl");
  td.colSpan = width;
  for (const f of r.details || []) dl.append(make("dt", f.name), make("dd", f.text));
  td.append(dl);
  tr.append(td);
  return tr;
}

function pages(data) {
  const t = data.table, n = (t.rows || []).length;
  let text = `${t.offset + 1} – ${t.offset + n} of ${t.matched}`;
  if (t.matched === 0) text = t.total === 0 ? "nothing" : `none of ${t.total}`;
  else if (n === 0) text = `no row ${t.offset + 1}: there are ${t.matched}`;
  else if (t.matched !== t.total) text += ` found in ${t.total}`;
  byID("range").textContent = text;
  link("earlier", t.offset > 0, Math.max(0, t.offset - data.size));
  link("later", n > 0 && t.offset + n < t.matched, t.offset + data.size);
}

function link(id, there, from) {
  const a = byID(id);
  a.hidden = !there;
  if (there) a.href = `/view/${state.view}?${query({ from })}`;
}

// again shows what the state says, at once.
function again() {
  state.applied = null;
  return refresh();
}

// turn goes to another view, or another part of this one.
function turn(href, remember) {
  const u = new URL(href, location.href), p = u.searchParams;
  const view = u.pathname === "/" ? "policy" : u.pathname.replace("/view/", "");
  if (view !== state.view) {
    state.open.clear();
    byID("table").tBodies[0].replaceChildren();
    byID("range").textContent = "";
  }
  Object.assign(state, { view, search: p.get("search") || "", from: Number(p.get("from")) || 0, sure: null });
  if (remember) history.pushState(null, "", u);
  byID("search").value = state.search;
  byID("find").action = "/view/" + view;
  for (const a of document.querySelectorAll("nav a")) {
    if (new URL(a.href).pathname !== "/view/" + view) {
      a.removeAttribute("aria-current");
      continue;
    }
    a.setAttribute("aria-current", "page");
    const group = a.closest("section").querySelector("h2").textContent, title = a.textContent;
    byID("group").textContent = group === title || group === "Policy" ? "" : group + ": ";
    byID("name").textContent = title;
    document.title = `${title} – goipsec`;
  }
  return again();
}

function say(text, ok) {
  const p = byID("outcome");
  p.textContent = text;
  p.className = ok ? "" : "bad";
}

// change asks for an action and says how it ended.
async function change(what, target) {
  say("…", true);
  try {
    const r = await fetch("/do/" + what, { method: "POST", headers: { "Content-Type": "application/json", "X-Goipsec-Token": state.token }, body: JSON.stringify({ target }) });
    const o = r.ok ? await r.json() : { ok: false, text: (await r.text()).trim() };
    say(o.text, o.ok);
    again();
    return o.ok;
  } catch (e) {
    say(e.message, false);
    return false;
  }
}

document.addEventListener("click", (e) => {
  const a = e.target.closest && e.target.closest("nav a, .pages a");
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
  e.preventDefault();
  turn(a.href, true);
});
addEventListener("popstate", () => turn(location.href, false));

let typing = 0;
byID("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const u = new URL("/view/" + state.view, location.href);
    if (byID("search").value) u.searchParams.set("search", byID("search").value);
    history.replaceState(null, "", u);
    state.search = byID("search").value;
    state.from = 0;
    again();
  }, 200);
});
byID("find").addEventListener("submit", (e) => e.preventDefault());

if (byID("actions")) {
  byID("unlock").addEventListener("submit", async (e) => {
    e.preventDefault();
    state.token = byID("token").value;
    byID("token").value = "";
    if (await change("check", "")) {
      byID("unlock").hidden = true;
      byID("change").hidden = false;
    } else state.token = "";
  });
  byID("change").addEventListener("submit", (e) => {
    e.preventDefault();
    change("connect", byID("target").value);
  });
  byID("reload").addEventListener("click", () => change("reload", ""));
}

setInterval(() => {
  if (!document.hidden) refresh();
}, second);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
refresh();

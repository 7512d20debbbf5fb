"""Colours and style sheet of the page of a comparison."""

__all__ = ["COLORS", "STYLE_SHEET"]

#: On light and on dark ground. Plots are drawn in the first ones, each of
#: which the page then replaces by the CSS variable of its name.
COLORS = {
    "ink": ("#1b1f24", "#e8eaed"),
    "muted": ("#5c6570", "#a3acb6"),
    "faint": ("#c3c9d0", "#4a525c"),
    "paper": ("#fefefe", "#15181c"),
    "accent": ("#0068a8", "#6cb8f0"),
    "better": ("#00704f", "#4cc9a0"),
    "worse": ("#a84300", "#f0955a"),
}

_DARK = "".join(f"--{name}: {dark}; " for name, (_, dark) in COLORS.items())
_LIGHT = "".join(f"--{name}: {light}; " for name, (light, _) in COLORS.items())

STYLE_SHEET = f"""
:root {{ color-scheme: light dark; {_LIGHT}--band: #f3f5f7; }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ {_DARK}--band: #20252b; }}
}}
* {{ box-sizing: border-box; }}
body {{
  margin: 0 auto; max-width: 80rem; padding: 1.5rem 1.25rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}}
h1 {{ font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; }}
h2 {{
  font-size: 1.3rem; margin: 3rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--faint);
}}
h3 {{ font-size: 1.05rem; margin: 2rem 0 .4rem; }}
h1, h2, h3 {{ text-wrap: balance; }}
h1, h2, h3, .legend, .note {{ break-after: avoid; }}
p, ul {{ max-width: 46rem; margin: .5rem 0; }}
ul {{ padding-left: 1.2rem; }}
a {{ color: var(--accent); }}
nav a {{ margin-right: 1rem; white-space: nowrap; }}
code {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace;
  font-size: .875em; overflow-wrap: anywhere; }}
.note, caption, figcaption, dt {{ color: var(--muted); }}
.note {{ font-size: .875rem; }}
dl {{
  display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: .2rem 1.25rem; margin: 1rem 0;
}}
dt, dd {{ margin: 0; }}
dd {{ overflow-wrap: anywhere; }}
.scroll {{ overflow-x: auto; margin: .75rem 0 1rem; }}
.scroll:focus-visible {{ outline: 2px solid var(--accent); }}
table {{
  border-collapse: collapse; font-size: .875rem;
  font-variant-numeric: tabular-nums;
}}
caption {{ text-align: left; padding-bottom: .4rem; }}
th, td {{
  padding: .3rem .5rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--faint);
}}
thead th {{
  vertical-align: bottom; border-bottom-color: var(--muted);
  white-space: normal; max-width: 13rem;
}}
th:first-child, .words {{ text-align: left; }}
td.words {{ white-space: normal; min-width: 9rem; }}
th:first-child {{
  position: sticky; left: 0; background: var(--paper);
  min-width: 9.5rem; max-width: 18rem; white-space: normal;
  overflow-wrap: break-word;
}}
tbody th {{ font-weight: 600; }}
tr.reference > * {{ background: var(--band); }}
.badge {{
  display: inline-block;
  border: 1px solid var(--muted); border-radius: .25rem; font-size: .75rem;
  font-weight: 400; padding: 0 .3rem; margin-left: .4rem;
  white-space: nowrap;
}}
.spread {{ color: var(--muted); }}
.better {{ color: var(--better); font-weight: 700; }}
.worse {{ color: var(--worse); font-weight: 700; }}
.level {{ color: var(--muted); }}
.legend {{ display: flex; flex-wrap: wrap; gap: .25rem 1.5rem;
  font-size: .875rem; margin: .5rem 0; padding: 0; list-style: none; }}
.key {{ display: inline-block; width: 1.8rem; margin-right: .5rem;
  vertical-align: middle; border-top: 2.5px solid var(--accent); }}
.key.dashed {{ border-top: 2px dashed var(--ink); }}
.key.others {{ border-top: 1.5px solid var(--faint); }}
.key.dotted {{ border-top: 2px dotted var(--muted); }}
figure {{ margin: 0; break-inside: avoid; }}
summary {{ cursor: pointer; font-weight: 600; margin: 1.5rem 0 .5rem; }}
figure svg {{ display: block; width: 100%; height: auto; }}
svg.interval {{ display: block; width: 7rem; height: 1rem; }}
.panels {{
  display: grid; gap: 1rem .9rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr));
}}
/* Long labels wrap, and plots stand side by side all the same. */
.panels figure {{
  display: flex; flex-direction: column; justify-content: space-between;
}}
.panels figcaption {{ font-size: .875rem; line-height: 1.3; }}
.panels figcaption b {{ color: var(--ink); overflow-wrap: anywhere; }}
.plots {{
  display: grid; gap: 1.5rem 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 35rem), 1fr));
}}
.wide {{ overflow-x: auto; }}
.wide svg {{ min-width: 30rem; }}
svg text {{ font-family: inherit !important; }}
@media (max-width: 40rem) {{
  dl {{ grid-template-columns: 1fr; gap: 0; }}
  dd {{ margin-bottom: .5rem; }}
  th:first-child {{ min-width: 8rem; max-width: 9rem; }}
}}
@media print {{
  @page {{ size: A4 landscape; margin: 12mm; }}
  html {{ font-size: 9pt; }}
  body {{ max-width: none; padding: 0; }}
  nav, details:not([open]) {{ display: none; }}
  .scroll, .wide {{ overflow: visible; }}
  table {{ font-size: 7pt; }}
  th, td {{ padding: .15rem .3rem; }}
  th:first-child {{ position: static; min-width: 0; }}
  tr {{ break-inside: avoid; }}
  svg.interval {{ width: 6rem; }}
  .panels {{ grid-template-columns: repeat(5, 1fr); }}
  .plots {{ grid-template-columns: repeat(2, 1fr); }}
  .wide svg {{ min-width: 0; }}
  .badge, tr.reference > * {{ print-color-adjust: exact; }}
}}
""".strip()

"""Basics of accessibility, measured on the page as it is drawn: names of all controls, contrast of all text.

Contrast is that of WCAG 2.1 (1.4.3): 4.5 to 1, or 3 to 1 for large text. Belongs here: measuring.
"""

from __future__ import annotations

from ev_platform_tests.browser import Tab

CONTROLS = frozenset(
    {"button", "textbox", "combobox", "slider", "checkbox", "switch", "radio", "tab", "link", "spinbutton", "searchbox"}
)

CONTRAST = """
(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return [m[0], m[1], m[2], m.length > 3 ? m[3] : 1]; };
  const over = (a, b) => a.slice(0, 3).map((x, i) => x * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const l = c.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * l[0] + .7152 * l[1] + .0722 * l[2]; };
  const behind = e => { const stack = []; for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > 0) stack.push(c); if (c[3] == 1) break; }
    return stack.reverse().reduce((b, c) => over(c, b), [255, 255, 255, 1]); };
  const low = [];
  const walk = document.createTreeWalker(document.querySelector('[data-testid=stApp]'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.nodeValue.trim(), style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    if (!text || style.visibility == 'hidden' || style.display == 'none' || box.width < 2 || box.height < 2) continue;
    if (['STYLE', 'SCRIPT', 'NOSCRIPT'].includes(e.tagName) || e.closest('[aria-hidden=true], [disabled], [data-testid=stIconMaterial]')) continue;
    let faded = 1; for (let p = e; p; p = p.parentElement) faded *= Number(getComputedStyle(p).opacity);
    if (faded < .05) continue;
    const back = behind(e), front = parse(style.color); front[3] *= faded;
    const [a, b] = [light(over(front, back)), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + .05) / (b + .05);
    if (ratio < (large ? 3 : 4.5)) low.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)} (${style.color} on ${back})`);
  }
  return [...new Set(low)];
})()
"""  # noqa: E501


def low_contrast(tab: Tab) -> list[str]:
    """Texts that are too faint, with their contrast."""
    return list(tab.run(CONTRAST))


def unnamed_controls(tab: Tab) -> list[str]:
    """Controls that a screen reader could not name."""
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    found = []
    for node in nodes:
        role = node.get("role", {}).get("value")
        if node.get("ignored") or role not in CONTROLS:
            continue
        if not str(node.get("name", {}).get("value", "")).strip():
            found.append(f"{role} {node.get('backendDOMNodeId')}")
    return found


def describe(tab: Tab, unnamed: list[str]) -> list[str]:
    """HTML of controls, to find them."""
    texts = []
    for one in unnamed:
        node = tab.call("DOM.getOuterHTML", backendNodeId=int(one.split()[1]))
        texts.append(f"{one}: {node['outerHTML'][:160]}")
    return texts

// A page of HTML in one file, without a network: data, code and style are in it. All pages share the style.

import { STYLE } from './style.ts';

export interface Page {
  title: string;
  /** HTML. */
  body: string;
  /** Of this page alone. */
  style: string;
  /** It is in the element `data`, as JSON. */
  data: unknown;
  /** Of JavaScript. */
  script: string;
}

export function pageHtml({ title, body, style, data, script }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}
${style}
</style>
</head>
<body>
${body}
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>
${script}
</script>
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

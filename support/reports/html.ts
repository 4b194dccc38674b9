import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Envelope } from '@cucumber/messages';
import { ReportFile } from './report-file.ts';

/**
 * Cucumber's HTML report, written so that a browser shows whatever was written before a run was killed: the viewer
 * comes first, as text that starts when the page is loaded, then the messages, each batch in a script of its own.
 * (Cucumber's formatter writes one array and the viewer behind it: cut short, that page stays empty.)
 */
export class HtmlReport {
  readonly #file: ReportFile;

  constructor(path: string, title: string) {
    const assets = join(dirname(createRequire(import.meta.url).resolve('@cucumber/html-formatter')), '..');
    const style = readFileSync(join(assets, 'main.css'), 'utf8');
    const viewer = readFileSync(join(assets, 'main.js'), 'utf8');
    this.#file = new ReportFile(
      path,
      `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
${style}
</style>
</head>
<body>
<div id="content"></div>
<script type="text/plain" id="viewer">
${viewer}
</script>
<script>
window.CUCUMBER_MESSAGES = [];
addEventListener('DOMContentLoaded', () => {
  const script = document.createElement('script');
  script.textContent = document.getElementById('viewer').textContent;
  document.body.append(script);
});
</script>
`,
    );
  }

  add(envelopes: readonly Envelope[]): void {
    const messages = envelopes.map((envelope) => JSON.stringify(envelope).replaceAll('<', '\\u003c'));
    this.#file.append(`<script>CUCUMBER_MESSAGES.push(${messages.join(',\n')})</script>\n`);
  }

  close(notModelled: readonly string[] = []): void {
    if (notModelled.length > 0) {
      const items = notModelled.map((text) => `<li>${escapeHtml(text)}</li>`).join('');
      this.#file.append(`<footer style="font-family: sans-serif; padding: 0 1rem">Not simulated:<ul>${items}</ul></footer>\n`);
    }
    this.#file.append('</body>\n</html>\n');
    this.#file.close();
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

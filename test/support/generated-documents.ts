/** The files that are made from tables in the code, by path, as they should read. */
import { configurationMarkdown, serveHelp } from '../../src/base/config/document.ts';
import { errorsMarkdown } from '../../src/base/errors/errors-markdown.ts';
import { metricsMarkdown } from '../../src/base/telemetry/metric-table.ts';

export function generatedDocuments(): Readonly<Record<string, string>> {
  return {
    'docs/CONFIGURATION.md': configurationMarkdown(),
    'docs/ERRORS.md': errorsMarkdown(),
    'docs/METRICS.md': metricsMarkdown(),
    'test/fixtures/serve-help.txt': serveHelp(),
  };
}

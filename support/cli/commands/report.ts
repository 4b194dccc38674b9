import { existsSync, readdirSync } from 'node:fs';
import { loadLab } from '../../content/lab.ts';
import { hasJava, makeAllureSite } from '../../live/allure.ts';
import { reportPaths } from '../../reports/reports.ts';
import { EnvironmentError, UsageError } from '../../verdict/errors.ts';
import { openTerminal } from '../terminal.ts';
import { reportsFolder } from './run.ts';

/** `outpost report`: the Allure site of the last run. */
export async function report(options: { readonly lab: string; readonly reports?: string }): Promise<number> {
  const paths = reportPaths(reportsFolder(loadLab(options.lab).root, options.reports));
  const terminal = openTerminal();
  if (!existsSync(paths.allureResults) || readdirSync(paths.allureResults).length === 0) {
    throw new UsageError('usage/no-results', `there are no results in ${paths.allureResults}`, { fix: 'outpost run' });
  }
  if (!(await hasJava())) {
    throw new EnvironmentError('report/no-java', 'the Allure site needs Java, which is not here', {
      hint: `the HTML report stands in: ${paths.html}`,
      fix: 'install a Java runtime, version 8 or newer',
    });
  }
  await makeAllureSite(paths.allureResults, paths.allureSite);
  terminal.tell(`Allure site: ${paths.allureSite}/index.html (open it with: npx allure open ${paths.allureSite})`);
  return 0;
}

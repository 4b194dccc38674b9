import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { EnvironmentError } from '../verdict/errors.ts';

/** Whether a Java runtime is there: allure-commandline is a Java program. */
export async function hasJava(): Promise<boolean> {
  const { execa } = await import('execa');
  const result = await execa('java', ['-version'], { reject: false });
  return result.exitCode === 0;
}

/** Turns Allure results into a site. @throws EnvironmentError when the generator fails */
export async function makeAllureSite(results: string, site: string): Promise<void> {
  const { execa } = await import('execa');
  const program = join(dirname(createRequire(import.meta.url).resolve('allure-commandline/package.json')), 'bin/allure');
  const result = await execa(program, ['generate', '--clean', '--output', site, results], { reject: false });
  if (result.exitCode !== 0) {
    throw new EnvironmentError(
      'report/allure',
      `allure could not make its site: ${result.stderr.trim() || result.shortMessage || 'unknown reason'}`,
    );
  }
}

import { KubectlError } from './errors.ts';

export class GoTemplate {
  constructor(_source: string, _options: { readonly allowsMissing: boolean }) {
    throw new KubectlError('not simulated: kubectl -o go-template');
  }
  print(_object: unknown): string {
    return '';
  }
}

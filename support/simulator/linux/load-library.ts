import { RawTextDecoder, RawTextEncoder } from '../docker/byte-text.ts';

export type JustBash = typeof import('just-bash');

/**
 * just-bash takes bytes that are no UTF-8 for Latin-1, which nothing afterwards can tell from text. It makes its encoder and decoder
 * once, while it is loaded: for that moment it finds ours, which keep such bytes as they are (byte-text.ts).
 */
export async function loadLibrary(): Promise<JustBash> {
  const { TextEncoder: Encoder, TextDecoder: Decoder } = globalThis;
  globalThis.TextEncoder = RawTextEncoder;
  globalThis.TextDecoder = RawTextDecoder;
  try {
    return await import('just-bash');
  } finally {
    globalThis.TextEncoder = Encoder;
    globalThis.TextDecoder = Decoder;
  }
}

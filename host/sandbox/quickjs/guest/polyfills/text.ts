import '@kayahr/text-encoding/encodings/utf-8';
import { TextDecoder, TextEncoder } from '@kayahr/text-encoding/no-encodings';

Object.assign(globalThis, { TextDecoder, TextEncoder });

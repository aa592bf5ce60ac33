import { atob, btoa } from 'js-base64';

Object.assign(globalThis, { atob, btoa });

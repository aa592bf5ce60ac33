/**
 * The pencil: the frontend draws, this plugin checks the stroke, saves it and says so (UIT-07, UIT-08).
 *
 * A stroke that is not right is an answer, not a crash: the reply carries an action `error` with a code, the
 * path of what is wrong and a text, and nothing is saved.
 */
import { publish } from 'neira:host/bus';
import { saveAnnotation, settings } from 'neira:host/storage';
import type { Envelope, Reply } from 'neira:host/types';
import { readDrawing } from './drawing.ts';
import { inLanguageOf, TEXTS } from './texts.ts';

const KIND = 'stroke';

export function handle(event: Envelope): Reply {
  const say = inLanguageOf(event);
  const { max_points } = settings<{ max_points: number }>();
  const drawing = readDrawing(event.payload, max_points);
  if ('code' in drawing) {
    const { code, path, details } = drawing;
    return { actions: [{ type: 'error', code, path, text: say(TEXTS[code], details) }] };
  }

  const { chatId, sessionId, stroke } = drawing;
  const id = saveAnnotation({ chatId, sessionId, kind: KIND, data: stroke });
  const place = { chat_id: chatId, session_id: sessionId, kind: KIND };
  publish('annotation.saved', { annotation_id: id, ...place });
  return {
    actions: [
      { type: 'annotation.saved', id, ...place },
      { type: 'notify', text: say(TEXTS.saved) },
    ],
  };
}

import { describe, expect, test } from 'vitest';
import { eventOfFolder, folderOf, isEventName, misnamed } from './event-names.ts';

test('a name is a folder and a folder is a name', () => {
  expect(folderOf('nlp.intent.detected', 1)).toBe('nlp/intent.detected/v1');
  expect(folderOf('ui.notify', 12)).toBe('ui/notify/v12');
  for (const name of ['ui.notify', 'nlp.intent.detected', 'repo.skill.install.result'])
    expect(eventOfFolder(folderOf(name, 3))).toEqual({ name, version: 3 });
});

test.each([
  'ui/notify',
  'ui/notify/1',
  'ui/notify/v0',
  'ui/notify/v01',
  'UI/notify/v1',
  '../notify/v1',
  'ui/a..b/v1',
])('`%s` is no folder of an event', (folder) => expect(eventOfFolder(folder)).toBeUndefined());

test.each(['notify', 'ui.', '.ui', 'ui.No', 'ui notify', 'ui.1', `ui.${'a'.repeat(126)}`])(
  '`%s` is no name of an event',
  (name) => expect(isEventName(name)).toBe(false),
);

// BUS-14, BUS-15, X-23
describe('names by their kind', () => {
  test.each([
    ['nlp.intent.detected', 'event'],
    ['scenario.completed', 'event'],
    ['plugin.rolled_back', 'event'],
    ['plugin.reload_failed', 'event'],
    ['mail.letter.sent', 'event'],
    ['ui.notify', 'event'],
    ['timer.tick', 'event'],
    ['scenario.run', 'command'],
    ['repo.skill.install', 'command'],
    ['cat.feed', 'command'],
    ['repo.skill.install.result', 'reply'],
  ] as const)('%s is a good name for the kind %s', (name, kind) => {
    expect(misnamed(name, kind)).toBeUndefined();
  });

  test.each([
    ['nlp.intent.detect', 'event', '`detect` is none'],
    ['cat.feed', 'event', '`feed` is none'],
    ['a.b.c.made', 'event', 'two or three parts'],
    ['scenario.completed', 'command', '`completed` says that it has happened'],
    ['repo.skill.sent', 'command', '`sent` says that it has happened'],
    ['scenario.answer', 'reply', '`.result` behind it'],
  ] as const)('%s is no good name for the kind %s', (name, kind, why) => {
    expect(misnamed(name, kind)).toContain(why);
  });
});

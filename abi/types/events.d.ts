// Generated from abi/events and the bundled plugins by `npm run gen`. Do not edit.

/** A value that survives `JSON.stringify`. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The payload of every event by name and major version, as who publishes it may write it. */
export interface EventPayloads {
  /**
   * Somebody pressed something. (event)
   */
  readonly 'action.input@1': {
    /** What the action is called, as if it were said. */
    readonly raw: string;
    /** How it came. */
    readonly modality: "text" | "voice" | "click" | "sensor";
    /** BCP 47, where it is known. */
    readonly locale?: string;
    /** Where it came in, and where its answer goes: `console`, `telegram`. */
    readonly channel?: string;
    /** Whom or what of the channel: the id of a chat. */
    readonly address?: string;
    /** Of the channel: an answer names it. */
    readonly message_id?: string;
    /** Who, in which conversation, and what else is known: `area`. */
    readonly ctx?: {
      readonly user_id?: string;
      readonly session_id?: string;
      /** `low-latency`, `private`, `low-cost`. */
      readonly policies?: readonly (string)[];
      readonly [name: string]: Json | undefined;
    };
  };
  /**
   * An annotation was saved. (event)
   */
  readonly 'annotation.saved@1': {
    /** Id of the annotation. */
    readonly annotation_id: string;
    /** The chat that it lies in. */
    readonly chat_id: string;
    /** The session of the chat. */
    readonly session_id: string;
    /** What the mark is, for example stroke. */
    readonly kind: string;
  };
  /**
   * Somebody wrote something. (event)
   */
  readonly 'chat.input@1': {
    /** What was written. */
    readonly raw: string;
    /** How it came. */
    readonly modality: "text" | "voice" | "click" | "sensor";
    /** BCP 47, where it is known. */
    readonly locale?: string;
    /** Where it came in, and where its answer goes: `console`, `telegram`. */
    readonly channel?: string;
    /** Whom or what of the channel: the id of a chat. */
    readonly address?: string;
    /** Of the channel: an answer names it. */
    readonly message_id?: string;
    /** Who, in which conversation, and what else is known: `area`. */
    readonly ctx?: {
      readonly user_id?: string;
      readonly session_id?: string;
      /** `low-latency`, `private`, `low-cost`. */
      readonly policies?: readonly (string)[];
      readonly [name: string]: Json | undefined;
    };
  };
  /**
   * A command that was asked came to its end. (event)
   */
  readonly 'command.answered@1': {
    /** Of the command, as `ask` answered it. */
    readonly id: string;
    /** Its name. */
    readonly command: string;
    /** Its major version. */
    readonly version: number;
    /** Whether it was done. */
    readonly ok: boolean;
    /** What the handler answered; not there where it answered nothing. */
    readonly result?: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
    /** Why it was not done. */
    readonly error?: {
      /** A code of the error catalogue. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** What the message is made of. */
      readonly details?: {
        readonly [name: string]: Json;
      };
      readonly [name: string]: Json | undefined;
    };
    /** As it was given to `ask`. */
    readonly context?: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
  };
  /**
   * A gate was locked. (event)
   */
  readonly 'gate.locked@1': {
    /** Id of the gate. */
    readonly id: string;
    /** Name of the token, or host, boot. */
    readonly actor: string;
    readonly before: {
      readonly stage: "locked" | "experimental" | "stable";
    };
    readonly after: {
      readonly stage: "locked" | "experimental" | "stable";
    };
    /** What was forced. */
    readonly note?: string;
  };
  /**
   * A gate was brought to experimental or to stable. (event)
   */
  readonly 'gate.opened@1': {
    /** Id of the gate. */
    readonly id: string;
    /** Name of the token, or host, boot. */
    readonly actor: string;
    readonly before: {
      readonly stage: "locked" | "experimental" | "stable";
    };
    readonly after: {
      readonly stage: "locked" | "experimental" | "stable";
    };
    /** What was forced. */
    readonly note?: string;
  };
  /**
   * Finds rules that contradict each other, that nothing reaches, and lists that nobody has. (command)
   */
  readonly 'intent.check@1': { readonly [name: string]: never };
  /**
   * What check came to. (reply)
   */
  readonly 'intent.check.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * What was understood could not be begun. (event)
   */
  readonly 'intent.failed@1': {
    /** What was understood. */
    readonly intent: string;
    /** What was to begin. */
    readonly scenario_id: string;
    /** Where it came from, as the input said it: `channel`, `address`, `message_id`, `ctx`. */
    readonly input?: {
      readonly [name: string]: Json;
    };
    /** Why it did not. */
    readonly error: {
      readonly code: string;
      readonly message: string;
      readonly [name: string]: Json | undefined;
    };
  };
  /**
   * Shows a file of rules as its author wrote it. (command)
   */
  readonly 'intent.get@1': {
    /** Name of a file of rules. */
    readonly file: string;
  };
  /**
   * What get came to. (reply)
   */
  readonly 'intent.get.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Lists the files of rules. (command)
   */
  readonly 'intent.list@1': { readonly [name: string]: never };
  /**
   * What list came to. (reply)
   */
  readonly 'intent.list.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Something was said that nobody understood. (event)
   */
  readonly 'intent.missed@1': {
    /** What was said. */
    readonly text: string;
    /** The likeliest language. */
    readonly locale: string;
    /** What came nearest. */
    readonly nearest: {
      readonly [name: string]: Json;
    };
    /** The same for people, in that language. */
    readonly message: string;
    /** Where it came from, as the input said it: `channel`, `address`, `message_id`, `ctx`. */
    readonly input?: {
      readonly [name: string]: Json;
    };
  };
  /**
   * Tells what a sentence means, and does nothing about it. (command)
   */
  readonly 'intent.recognize@1': {
    /** What was said or written. */
    readonly text: string;
    /** BCP 47: the language that is tried first. Without it the letters tell. */
    readonly locale?: string;
    /** What is known already and rules ask for: `area` of who speaks. */
    readonly ctx?: {
      readonly [name: string]: Json;
    };
  };
  /**
   * What recognize came to. (reply)
   */
  readonly 'intent.recognize.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Id of the intent; null: not understood. */
    readonly intent?: string | null;
    /** What the sentence filled in. */
    readonly slots?: {
      readonly [name: string]: string | number | boolean | null;
    };
    /** Share of the sentence that rules and lists say themselves. */
    readonly confidence?: number;
    /** Language in which it was understood. */
    readonly locale?: string;
    /** Other meanings, the likelier first. */
    readonly alternatives?: readonly ({ readonly [name: string]: never })[];
    /** Rule, template, and what each part was taken for. */
    readonly explain?: { readonly [name: string]: never };
    /** What came nearest where nothing was understood. */
    readonly nearest?: { readonly [name: string]: never };
    /** The same for people, in their language. */
    readonly message?: string;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Removes a file of rules. (command)
   */
  readonly 'intent.remove@1': {
    /** Name of a file of rules. */
    readonly file: string;
  };
  /**
   * What remove came to. (reply)
   */
  readonly 'intent.remove.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Saves files of rules, all of them or none. (command)
   */
  readonly 'intent.save@1': {
    /** Name of each file, and its text: YAML. */
    readonly files: {
      readonly [name: string]: string;
    };
  };
  /**
   * What save came to. (reply)
   */
  readonly 'intent.save.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Sets the values of a list, in place of those that it had: names of devices, rooms, people. (command)
   */
  readonly 'intent.teach@1': {
    /** As sentences name it: `area` for `{area}`. */
    readonly list: string;
    /** Of the values; `*`, where none is given: every language knows them. */
    readonly language?: string;
    /** Texts, or `{in, out, context}`. */
    readonly values: readonly (string | { readonly [name: string]: never })[];
    /** Whether they are names that people gave: a sentence that holds one wins. True where it is not said. */
    readonly names?: boolean;
    /** Whether other forms of Russian words count as well. Where it is not said they do. */
    readonly inflect?: boolean;
    /** Whether `(`, `[` and `{` in them mean themselves. True where it is not said. */
    readonly plain?: boolean;
  };
  /**
   * What teach came to. (reply)
   */
  readonly 'intent.teach.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * An utterance was understood as an intent. (event)
   */
  readonly 'nlp.intent.detected@1': {
    /** Id of the intent, for example weather.now. */
    readonly intent: string;
    readonly confidence: number;
    /** BCP 47. */
    readonly locale: string;
    /** What was said. */
    readonly text: string;
    /** What the utterance filled in. */
    readonly slots: {
      readonly [name: string]: string | number | boolean | null;
    };
    /** Where it came from, as the input said it: `channel`, `address`, `message_id`, `ctx`. */
    readonly input?: {
      readonly [name: string]: Json;
    };
  };
  /**
   * An administrator took over a version that was held back. (event)
   */
  readonly 'plugin.accepted@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly after: {
      /** Its digest. */
      readonly version: string;
    };
  };
  /**
   * The settings of a plugin were changed. (event)
   */
  readonly 'plugin.configured@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    /** Values of the settings, as the manifest of the plugin describes them. */
    readonly before: {
      readonly [name: string]: Json;
    };
    /** Values of the settings, as the manifest of the plugin describes them. */
    readonly after: {
      readonly [name: string]: Json;
    };
  };
  /**
   * A plugin was disabled. (event)
   */
  readonly 'plugin.disabled@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    readonly after: {
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
  };
  /**
   * A plugin was enabled. (event)
   */
  readonly 'plugin.enabled@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    readonly after: {
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
  };
  /**
   * An administrator granted permissions to a plugin, or took them back. (event)
   */
  readonly 'plugin.granted@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      readonly storage: readonly ("read" | "write")[];
      readonly bus: {
        readonly publish: readonly (string)[];
        readonly subscribe: readonly (string)[];
      };
      readonly io: {
        readonly ports: readonly (string)[];
        readonly http: readonly ({
          readonly host: string;
          readonly methods: readonly (string)[];
          readonly idempotent?: boolean;
        })[];
      };
      readonly secrets: readonly (string)[];
    };
    readonly after: {
      readonly storage: readonly ("read" | "write")[];
      readonly bus: {
        readonly publish: readonly (string)[];
        readonly subscribe: readonly (string)[];
      };
      readonly io: {
        readonly ports: readonly (string)[];
        readonly http: readonly ({
          readonly host: string;
          readonly methods: readonly (string)[];
          readonly idempotent?: boolean;
        })[];
      };
      readonly secrets: readonly (string)[];
    };
  };
  /**
   * A new version of a plugin does otherwise and waits to be accepted; the old one serves on. (event)
   */
  readonly 'plugin.held_back@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly after: {
      /** When it was rehearsed, RFC 3339. */
      readonly at: string;
      readonly mode: "report" | "block";
      /** Digest of the version that had run the turns. */
      readonly from: string;
      /** Digest of the version that was tried. */
      readonly to: string;
      readonly replayed: number;
      readonly same: number;
      readonly different: number;
      /** Turns in which it wants what they never had. */
      readonly not_comparable: number;
      readonly took_ms: number;
      /** It waits to be accepted. */
      readonly held: boolean;
      /** Of those that were not the same the newest. */
      readonly turns: readonly ({
        readonly turn: string;
        readonly reason?: string;
        readonly differs: readonly (string)[];
      })[];
    };
  };
  /**
   * The folder of a plugin holds what serves again: a failed reload is settled. (event)
   */
  readonly 'plugin.mended@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      readonly code?: string;
      readonly message?: string;
    };
    /** Why. */
    readonly note: string;
  };
  /**
   * What a principal of a plugin may do was changed. (event)
   */
  readonly 'plugin.principal_granted@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Id of the principal. */
    readonly principal: string;
    /** Names of all that it is granted now, as consent shows them. */
    readonly granted: readonly (string)[];
  };
  /**
   * The host stopped a plugin that kept ending its cells. (event)
   */
  readonly 'plugin.quarantined@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    readonly after: {
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
      readonly reason: string;
    };
  };
  /**
   * A plugin was registered. (event)
   */
  readonly 'plugin.registered@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly after: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
      /** Permissions that are asked and not granted. */
      readonly pending_consent: readonly (string)[];
    };
  };
  /**
   * Whether new versions of a plugin are rehearsed was set. (event)
   */
  readonly 'plugin.rehearsal_set@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      readonly mode: "off" | "report" | "block";
    };
    readonly after: {
      readonly mode: "off" | "report" | "block";
    };
  };
  /**
   * The last turns of a plugin were run again on a new version, which does otherwise and serves. (event)
   */
  readonly 'plugin.rehearsed@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly after: {
      /** When it was rehearsed, RFC 3339. */
      readonly at: string;
      readonly mode: "report" | "block";
      /** Digest of the version that had run the turns. */
      readonly from: string;
      /** Digest of the version that was tried. */
      readonly to: string;
      readonly replayed: number;
      readonly same: number;
      readonly different: number;
      /** Turns in which it wants what they never had. */
      readonly not_comparable: number;
      readonly took_ms: number;
      /** It waits to be accepted. */
      readonly held: boolean;
      /** Of those that were not the same the newest. */
      readonly turns: readonly ({
        readonly turn: string;
        readonly reason?: string;
        readonly differs: readonly (string)[];
      })[];
    };
  };
  /**
   * What was saved does not run; what served before goes on. (event)
   */
  readonly 'plugin.reload_failed@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    /** The error, with all its details. */
    readonly after: {
      /** A code of the error catalogue. */
      readonly code: string;
      readonly file?: string;
      readonly line?: number;
      readonly [name: string]: Json | undefined;
    };
    /** The error as a sentence, with its place. */
    readonly note: string;
  };
  /**
   * A saved or reloaded plugin serves. (event)
   */
  readonly 'plugin.reloaded@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    readonly after: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
      /** Permissions that are asked and not granted. */
      readonly pending_consent: readonly (string)[];
    };
  };
  /**
   * A plugin was removed. (event)
   */
  readonly 'plugin.removed@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    /** Whether its data went too. */
    readonly note: string;
  };
  /**
   * A plugin went back to an earlier version. (event)
   */
  readonly 'plugin.rolled_back@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    readonly after: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
      /** Permissions that are asked and not granted. */
      readonly pending_consent: readonly (string)[];
    };
  };
  /**
   * A registered plugin was registered anew, perhaps in another version. (event)
   */
  readonly 'plugin.updated@1': {
    /** Id of the plugin. */
    readonly id: string;
    /** Name of the token, or host, boot, watch. */
    readonly actor: string;
    readonly before: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
    };
    readonly after: {
      /** Version of the plugin. */
      readonly version: string;
      /** Of its files. */
      readonly digest: string;
      readonly state: "registered" | "enabled" | "disabled" | "quarantined";
      /** Permissions that are asked and not granted. */
      readonly pending_consent: readonly (string)[];
    };
  };
  /**
   * A plugin saved annotations or messages, perhaps several of them. (event)
   */
  readonly 'record.saved@1': {
    /** Who saved them; it is not told itself. */
    readonly plugin: string;
    /** Number of the first of them, as `records` of neira:host/storage counts. */
    readonly first: number;
    /** Number of the last; those between belong to the same turn. */
    readonly last: number;
    /** How many they are. */
    readonly count: number;
    /** Where they are, each place once; the first hundred. */
    readonly places: readonly ({
      readonly type: "annotation" | "message";
      readonly chat_id: string;
      readonly session_id: string;
    })[];
  };
  /**
   * Installs a skill from a repository, or another version of one that is there. (command)
   */
  readonly 'repo.skill.install@1': {
    /** Id of the skill. */
    readonly skill: string;
    /** Which version; the newest when left out. */
    readonly version?: string;
    /** Where to take it from, a name of a configured repository; all are searched when left out. */
    readonly source?: string;
    /** Whether to enable it at once; false when left out. */
    readonly enable?: boolean;
  };
  /**
   * Whether a skill was installed. (reply)
   */
  readonly 'repo.skill.install.result@1': {
    readonly ok: boolean;
    /** Id of the skill. */
    readonly skill: string;
    /** The version that is installed now; not there when it failed. */
    readonly version?: string;
    /** What went wrong. */
    readonly error?: {
      /** A code of the error catalogue, or of the plugin that failed. */
      readonly code: string;
      /** For people. */
      readonly message: string;
    };
  };
  /**
   * A skill was installed, or replaced by another version. (event)
   */
  readonly 'repo.skill.installed@1': {
    /** Id of the skill. */
    readonly skill: string;
    /** Version of the skill, as its author counts. */
    readonly version: string;
    /** The version that it replaced; null for the first. */
    readonly previous_version: string | null;
    /** The repository that it came from. */
    readonly source?: string;
  };
  /**
   * Answers a question that a run asked a person. (command)
   */
  readonly 'scenario.answer@1': {
    /** Which. */
    readonly question_id: string;
    /** The answer. */
    readonly value: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
  };
  /**
   * What answer came to. (reply)
   */
  readonly 'scenario.answer.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Ends a run and undoes what it did. (command)
   */
  readonly 'scenario.cancel@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** For people. */
    readonly reason?: string;
  };
  /**
   * What cancel came to. (reply)
   */
  readonly 'scenario.cancel.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A run of a scenario has come to its end. (event)
   */
  readonly 'scenario.completed@1': {
    /** Id of the scenario. */
    readonly id: string;
    /** Id of the run. */
    readonly run_id: string;
    readonly outcome: "succeeded" | "failed" | "cancelled";
    /** From its first step to its end. */
    readonly duration_ms: number;
    /** What went wrong. */
    readonly error?: {
      /** A code of the error catalogue, or of the plugin that failed. */
      readonly code: string;
      /** For people. */
      readonly message: string;
    };
  };
  /**
   * Lets no new run of a scenario begin. (command)
   */
  readonly 'scenario.disable@1': {
    /** Id of the scenario. */
    readonly id: string;
  };
  /**
   * What disable came to. (reply)
   */
  readonly 'scenario.disable.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Lets a scenario begin again. (command)
   */
  readonly 'scenario.enable@1': {
    /** Id of the scenario. */
    readonly id: string;
  };
  /**
   * What enable came to. (reply)
   */
  readonly 'scenario.enable.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * An event is for more runs than one turn can tell. (event)
   */
  readonly 'scenario.event.spread@1': {
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** What it came by. */
    readonly ear: string;
    /** The event. */
    readonly event: {
      readonly [name: string]: Json;
    };
    /** The run that was told last. */
    readonly after: string;
  };
  /**
   * Begins a new run from a step of another. (command)
   */
  readonly 'scenario.fork@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Key of the step. */
    readonly step: string;
    /** With the definition that serves now. */
    readonly latest?: boolean;
    /** Another one. */
    readonly ctx?: {
      readonly [name: string]: Json;
    };
    /** Where it stands still. */
    readonly breakpoints?: readonly (string)[];
  };
  /**
   * What fork came to. (reply)
   */
  readonly 'scenario.fork.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Shows a scenario with the text of its author. (command)
   */
  readonly 'scenario.get@1': {
    /** Id of the scenario. */
    readonly id: string;
  };
  /**
   * What get came to. (reply)
   */
  readonly 'scenario.get.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Lists scenarios. (command)
   */
  readonly 'scenario.list@1': {
    /** How many at most. */
    readonly limit?: number;
    /** What the page before ended with. */
    readonly after?: string;
    /** Parts that are shown too. */
    readonly with?: readonly ("triggers" | "schedules")[];
  };
  /**
   * What list came to. (reply)
   */
  readonly 'scenario.list.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Makes a run stand still. (command)
   */
  readonly 'scenario.pause@1': {
    /** Id of the run. */
    readonly run_id: string;
  };
  /**
   * What pause came to. (reply)
   */
  readonly 'scenario.pause.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A run waits for what a person says. (event)
   */
  readonly 'scenario.question.asked@1': {
    /** To answer by. */
    readonly question_id: string;
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** The question. */
    readonly text: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
    /** What may be answered; anything without it. */
    readonly choices?: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
    /** Who is asked, and how. */
    readonly to?: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
  };
  /**
   * Nobody waits for the answer any more. (event)
   */
  readonly 'scenario.question.closed@1': {
    /** Of the question. */
    readonly question_id: string;
    /** Id of the run. */
    readonly run_id: string;
  };
  /**
   * Lists questions that are open. (command)
   */
  readonly 'scenario.questions@1': {
    /** How many at most. */
    readonly limit?: number;
    /** What the page before ended with. */
    readonly after?: string;
  };
  /**
   * What questions came to. (reply)
   */
  readonly 'scenario.questions.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Removes a scenario; runs that began end as they would. (command)
   */
  readonly 'scenario.remove@1': {
    /** Id of the scenario. */
    readonly id: string;
  };
  /**
   * What remove came to. (reply)
   */
  readonly 'scenario.remove.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A scenario does not begin any more. (event)
   */
  readonly 'scenario.removed@1': {
    /** Id of the scenario. */
    readonly id: string;
  };
  /**
   * Does a run again with the answers that came then, and compares; nothing is done. (command)
   */
  readonly 'scenario.replay@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Of another definition. */
    readonly digest?: string;
  };
  /**
   * What replay came to. (reply)
   */
  readonly 'scenario.replay.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Lets a run go on that stands still. (command)
   */
  readonly 'scenario.resume@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** To the next step only. */
    readonly over?: boolean;
    /** Steps before which it stands still, by name, path or key. */
    readonly breakpoints?: readonly (string)[];
  };
  /**
   * What resume came to. (reply)
   */
  readonly 'scenario.resume.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Runs a scenario. (command)
   */
  readonly 'scenario.run@1': {
    /** Id of the scenario. */
    readonly id: string;
    /** What the scenario reads as `ctx`. */
    readonly ctx?: {
      readonly [name: string]: Json;
    };
    /** NORM when left out. */
    readonly priority?: "LOW" | "NORM" | "HIGH";
    /** Although a run of it goes on already. */
    readonly force?: boolean;
    /** Starts that name the same are admitted in the order in which they were asked for; others as it comes. */
    readonly order?: string;
    /** Show what its steps would do, and do nothing. */
    readonly dry_run?: boolean;
    /** What triggered it: the scenario reads it as `event`. */
    readonly event?: {
      readonly [name: string]: Json;
    };
    /** The texts in `ctx` hold expressions over `event`: `${event.payload.city}`. */
    readonly template?: boolean;
  };
  /**
   * Runs whose time was over were forgotten, and there are more. (event)
   */
  readonly 'scenario.run.expired@1': {
    /** When. */
    readonly at: string;
  };
  /**
   * A run stands still until somebody looks at it. (event)
   */
  readonly 'scenario.run.paused@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** Why. */
    readonly reason: string;
    /** For people. */
    readonly message?: string;
  };
  /**
   * A run has ended, and what it held is free. (event)
   */
  readonly 'scenario.run.released@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** It was admitted, and not only waiting. */
    readonly began: boolean;
    /** It had a place among those that work. */
    readonly slot: boolean;
    /** Where it waited. */
    readonly queued_as?: string;
  };
  /**
   * Whether a run was begun, and which. (reply)
   */
  readonly 'scenario.run.result@1': {
    readonly ok: boolean;
    /** Id of the run; not there when it was refused. */
    readonly run_id?: string;
    /** What went wrong. */
    readonly error?: {
      /** A code of the error catalogue, or of the plugin that failed. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
  };
  /**
   * Something reaches a run. (event)
   */
  readonly 'scenario.run.told@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** What, as the engine says it to itself. */
    readonly event: {
      readonly [name: string]: Json;
    };
  };
  /**
   * Lists runs, the newest first. (command)
   */
  readonly 'scenario.runs@1': {
    /** Id of the scenario. */
    readonly scenario_id?: string;
    /** Only in this state. */
    readonly state?: string;
    /** How many at most. */
    readonly limit?: number;
    /** What the page before ended with. */
    readonly after?: string;
  };
  /**
   * What runs came to. (reply)
   */
  readonly 'scenario.runs.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Saves a scenario as its author wrote it. (command)
   */
  readonly 'scenario.save@1': {
    /** Texts, by path. */
    readonly files: {
      readonly [name: string]: string;
    };
    /** Which of the files is the scenario. */
    readonly entry?: string;
  };
  /**
   * What save came to. (reply)
   */
  readonly 'scenario.save.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A definition serves from now on. (event)
   */
  readonly 'scenario.saved@1': {
    /** Id of the scenario. */
    readonly id: string;
    /** Of the definition. */
    readonly digest: string;
    /** Events that begin it. */
    readonly triggers: readonly ({
      readonly [name: string]: Json;
    })[];
    /** When it begins. */
    readonly schedules: readonly ({
      readonly [name: string]: Json;
    })[];
  };
  /**
   * Tells a run what one of its steps waits for. (command)
   */
  readonly 'scenario.signal@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Its name. */
    readonly signal: string;
    /** What comes with it. */
    readonly payload?: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
  };
  /**
   * What signal came to. (reply)
   */
  readonly 'scenario.signal.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A run rests, and takes no place while it does. (event)
   */
  readonly 'scenario.slot.freed@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
  };
  /**
   * A run wants to go on, as soon as there is room. (event)
   */
  readonly 'scenario.slot.wanted@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** Its priority. */
    readonly priority: "LOW" | "NORM" | "HIGH";
  };
  /**
   * Says where a run stands. (command)
   */
  readonly 'scenario.status@1': {
    /** Id of the run. */
    readonly run_id: string;
  };
  /**
   * What status came to. (reply)
   */
  readonly 'scenario.status.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Steps of a run began or ended. (event)
   */
  readonly 'scenario.step.completed@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** Of the run. */
    readonly state: string;
    /** What happened to which, in order. */
    readonly steps: readonly ({
      readonly [name: string]: Json;
    })[];
  };
  /**
   * A scenario says what it saw (`observe`). (event)
   */
  readonly 'scenario.step.observed@1': {
    /** Id of the run. */
    readonly run_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** Which step. */
    readonly step: string;
    /** What. */
    readonly name: string;
    /** And how. */
    readonly props: { readonly [name: string]: never } | readonly (Json)[] | string | number | boolean | null;
  };
  /**
   * Runs tests of scenarios, in virtual time and against what they say others answer. (command)
   */
  readonly 'scenario.test@1': {
    /** Texts, by path. */
    readonly files: {
      readonly [name: string]: string;
    };
    /** Golden files are written anew. */
    readonly update?: boolean;
  };
  /**
   * What test came to. (reply)
   */
  readonly 'scenario.test.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Shows what happened in a run, step by step. (command)
   */
  readonly 'scenario.trace@1': {
    /** Id of the run. */
    readonly run_id: string;
  };
  /**
   * What trace came to. (reply)
   */
  readonly 'scenario.trace.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Begins a scenario by cron, at a moment, or at intervals. (command)
   */
  readonly 'schedule.create@1': {
    /** Of the job; one is made up without it. */
    readonly id?: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** `*\/15 * * * *`, also with seconds before and the year behind. */
    readonly cron?: string;
    /** RFC 3339, with its offset. */
    readonly at?: string;
    /** Milliseconds from one tick to the next. */
    readonly every_ms?: number;
    /** Of cron; UTC without it. */
    readonly timezone?: string;
    /** What the runs get. */
    readonly ctx?: {
      readonly [name: string]: Json;
    };
    /** Of the runs. */
    readonly priority?: "LOW" | "NORM" | "HIGH";
    /** What a tick does while the run before goes on. */
    readonly overlap?: "skip" | "queue" | "parallel";
    /** What was missed this long ago at most is made up for, once. */
    readonly catch_up_ms?: number;
    /** Each tick is late by up to this. */
    readonly jitter_ms?: number;
  };
  /**
   * What create came to. (reply)
   */
  readonly 'schedule.create.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Ends a job. (command)
   */
  readonly 'schedule.delete@1': {
    /** Id of the job. */
    readonly job_id: string;
  };
  /**
   * What delete came to. (reply)
   */
  readonly 'schedule.delete.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A tick of a job is due. (event)
   */
  readonly 'schedule.due@1': {
    /** Id of the job. */
    readonly job_id: string;
    /** Which, in milliseconds since 1970. */
    readonly tick_ms: number;
  };
  /**
   * A job could not begin its scenario. (event)
   */
  readonly 'schedule.failed@1': {
    /** Id of the job. */
    readonly job_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** The tick. */
    readonly at: string;
    /** Why. */
    readonly error: {
      readonly [name: string]: Json;
    };
  };
  /**
   * A job began its scenario. (event)
   */
  readonly 'schedule.fired@1': {
    /** Id of the job. */
    readonly job_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** The tick. */
    readonly at: string;
    /** The run that began. */
    readonly run_id: string;
    /** After the tick. */
    readonly late_ms: number;
  };
  /**
   * Lists jobs with their next ticks. (command)
   */
  readonly 'schedule.list@1': {
    /** Id of the scenario. */
    readonly scenario_id?: string;
    /** How many at most. */
    readonly limit?: number;
    /** What the page before ended with. */
    readonly after?: string;
  };
  /**
   * What list came to. (reply)
   */
  readonly 'schedule.list.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Ticks of a job went by. (event)
   */
  readonly 'schedule.missed@1': {
    /** Id of the job. */
    readonly job_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** The tick. */
    readonly at: string;
    /** How many. */
    readonly count: number;
    /** Why. */
    readonly reason: string;
  };
  /**
   * Lets a job rest. (command)
   */
  readonly 'schedule.pause@1': {
    /** Id of the job. */
    readonly job_id: string;
  };
  /**
   * What pause came to. (reply)
   */
  readonly 'schedule.pause.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Says when a cron text would be due. (command)
   */
  readonly 'schedule.preview@1': {
    /** The text. */
    readonly cron: string;
    /** UTC without it. */
    readonly timezone?: string;
    /** How many ticks. */
    readonly count?: number;
  };
  /**
   * What preview came to. (reply)
   */
  readonly 'schedule.preview.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Lets a job go on that rests. (command)
   */
  readonly 'schedule.resume@1': {
    /** Id of the job. */
    readonly job_id: string;
  };
  /**
   * What resume came to. (reply)
   */
  readonly 'schedule.resume.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Some records were taken into the search index, and there are more. (event)
   */
  readonly 'search.index.advanced@1': {
    /** Records that are in the index now. */
    readonly indexed: number;
  };
  /**
   * Finds messages and annotations. (command)
   */
  readonly 'search.query@1': {
    /** As a person typed it: all words must be found, "words in quotes" beside each other, words behind a minus not at all; the last word may be unfinished. */
    readonly q: string;
    /** Only these. */
    readonly type?: "annotation" | "message";
    /** Only of this chat. */
    readonly chat?: string;
    /** Only of this session. */
    readonly session?: string;
    /** `time`: by number. `score`: the best first. */
    readonly order?: "time" | "score";
    /** By time: only records with a higher number. By score: so many hits are skipped. */
    readonly after?: number;
    readonly limit?: number;
  };
  /**
   * What was found. (reply)
   */
  readonly 'search.query.result@1': {
    readonly hits: readonly ({
      /** Number of the record, as `records` of neira:host/storage counts. */
      readonly number: number;
      /** How well it fits; only to be compared within one answer. */
      readonly score?: number;
      /** Words to highlight, in the form in which they stand in the record. */
      readonly highlight?: readonly (string)[];
    })[];
    /** The `after` of the next page; null at the end. */
    readonly next: number | null;
  };
  /**
   * The host is up and takes events. (event)
   */
  readonly 'system.boot.completed@1': {
    /** Version of the host. */
    readonly version: string;
    readonly mode: "normal" | "safe";
    /** How many are registered. */
    readonly plugins: number;
    /** From start to listening. */
    readonly boot_ms: number;
  };
  /**
   * A minute has passed. (event)
   */
  readonly 'timer.tick@1': {
    /** The minute that it stands for, RFC 3339 in UTC. */
    readonly at: string;
    /** Seconds from one tick to the next. */
    readonly interval_s: 60;
  };
  /**
   * Begins a scenario when an event comes. (command)
   */
  readonly 'trigger.create@1': {
    /** Of the rule; one is made up without it. */
    readonly id?: string;
    /** `scenario.completed@1`, or a pattern. */
    readonly event: string;
    /** CEL over `event`. */
    readonly filter?: string;
    /** RFC 9535 singular path: pace is kept for each of its values. */
    readonly key?: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** What the run gets; its texts may hold `${event.payload.city}`. */
    readonly ctx?: {
      readonly [name: string]: Json;
    };
    /** Of the run. */
    readonly priority?: "LOW" | "NORM" | "HIGH";
    /** Begins once it was quiet for so long. */
    readonly debounce_ms?: number;
    /** Begins once within so long. */
    readonly throttle_ms?: number;
    /** Not while what it began goes on. */
    readonly singleton?: boolean;
  };
  /**
   * What create came to. (reply)
   */
  readonly 'trigger.create.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Ends a rule. (command)
   */
  readonly 'trigger.delete@1': {
    /** Id of the rule. */
    readonly rule_id: string;
  };
  /**
   * What delete came to. (reply)
   */
  readonly 'trigger.delete.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Lets a rule rest. (command)
   */
  readonly 'trigger.disable@1': {
    /** Id of the rule. */
    readonly rule_id: string;
  };
  /**
   * What disable came to. (reply)
   */
  readonly 'trigger.disable.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * What a rule let wait is due. (event)
   */
  readonly 'trigger.due@1': {
    /** Id of the rule. */
    readonly rule_id: string;
    /** For which value of its key. */
    readonly key: string;
  };
  /**
   * Lets a rule begin scenarios again. (command)
   */
  readonly 'trigger.enable@1': {
    /** Id of the rule. */
    readonly rule_id: string;
  };
  /**
   * What enable came to. (reply)
   */
  readonly 'trigger.enable.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * A rule could not begin its scenario. (event)
   */
  readonly 'trigger.failed@1': {
    /** Id of the rule. */
    readonly rule_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** The event. */
    readonly event_id: string;
    /** The value of the rule's key in it. */
    readonly key?: string;
    /** Why. */
    readonly error: {
      readonly [name: string]: Json;
    };
  };
  /**
   * A rule began its scenario. (event)
   */
  readonly 'trigger.fired@1': {
    /** Id of the rule. */
    readonly rule_id: string;
    /** Id of the scenario. */
    readonly scenario_id: string;
    /** The event. */
    readonly event_id: string;
    /** The value of the rule's key in it. */
    readonly key?: string;
    /** The run that began. */
    readonly run_id: string;
  };
  /**
   * Lists rules, and what they wait for. (command)
   */
  readonly 'trigger.list@1': {
    /** Id of the scenario. */
    readonly scenario_id?: string;
    /** How many at most. */
    readonly limit?: number;
    /** What the page before ended with. */
    readonly after?: string;
  };
  /**
   * What list came to. (reply)
   */
  readonly 'trigger.list.result@1': {
    /** Whether it was done. */
    readonly ok: boolean;
    /** Why it was not done. */
    readonly error?: {
      /** Why it was refused. */
      readonly code: string;
      /** For people. */
      readonly message: string;
      /** Of HTTP, for those who ask that way. */
      readonly status?: number;
      /** What the message is made of, by name. */
      readonly details?: {
        readonly [name: string]: Json;
      };
    };
    readonly [name: string]: Json | undefined;
  };
  /**
   * Something for a person to read. (event)
   */
  readonly 'ui.notify@1': {
    /** In one language, or in several. */
    readonly text: string | {
      readonly en?: string;
      readonly ru?: string;
    };
    /** A heading, in the same way. */
    readonly title?: string | {
      readonly en?: string;
      readonly ru?: string;
    };
    /** info when left out. */
    readonly level?: "info" | "success" | "warning" | "error";
    /** The chat that it belongs to; everybody's when left out. */
    readonly chat_id?: string;
    /** The session of the chat. */
    readonly session_id?: string;
  };
  /**
   * Somebody said something. (event)
   */
  readonly 'voice.input@1': {
    /** What was said, as it was understood. */
    readonly raw: string;
    /** How it came. */
    readonly modality: "text" | "voice" | "click" | "sensor";
    /** BCP 47, where it is known. */
    readonly locale?: string;
    /** Where it came in, and where its answer goes: `console`, `telegram`. */
    readonly channel?: string;
    /** Whom or what of the channel: the id of a chat. */
    readonly address?: string;
    /** Of the channel: an answer names it. */
    readonly message_id?: string;
    /** Who, in which conversation, and what else is known: `area`. */
    readonly ctx?: {
      readonly user_id?: string;
      readonly session_id?: string;
      /** `low-latency`, `private`, `low-cost`. */
      readonly policies?: readonly (string)[];
      readonly [name: string]: Json | undefined;
    };
  };
}

/** The reply to every command. */
export interface Replies {
  readonly 'intent.check@1': 'intent.check.result@1';
  readonly 'intent.get@1': 'intent.get.result@1';
  readonly 'intent.list@1': 'intent.list.result@1';
  readonly 'intent.recognize@1': 'intent.recognize.result@1';
  readonly 'intent.remove@1': 'intent.remove.result@1';
  readonly 'intent.save@1': 'intent.save.result@1';
  readonly 'intent.teach@1': 'intent.teach.result@1';
  readonly 'repo.skill.install@1': 'repo.skill.install.result@1';
  readonly 'scenario.answer@1': 'scenario.answer.result@1';
  readonly 'scenario.cancel@1': 'scenario.cancel.result@1';
  readonly 'scenario.disable@1': 'scenario.disable.result@1';
  readonly 'scenario.enable@1': 'scenario.enable.result@1';
  readonly 'scenario.fork@1': 'scenario.fork.result@1';
  readonly 'scenario.get@1': 'scenario.get.result@1';
  readonly 'scenario.list@1': 'scenario.list.result@1';
  readonly 'scenario.pause@1': 'scenario.pause.result@1';
  readonly 'scenario.questions@1': 'scenario.questions.result@1';
  readonly 'scenario.remove@1': 'scenario.remove.result@1';
  readonly 'scenario.replay@1': 'scenario.replay.result@1';
  readonly 'scenario.resume@1': 'scenario.resume.result@1';
  readonly 'scenario.run@1': 'scenario.run.result@1';
  readonly 'scenario.runs@1': 'scenario.runs.result@1';
  readonly 'scenario.save@1': 'scenario.save.result@1';
  readonly 'scenario.signal@1': 'scenario.signal.result@1';
  readonly 'scenario.status@1': 'scenario.status.result@1';
  readonly 'scenario.test@1': 'scenario.test.result@1';
  readonly 'scenario.trace@1': 'scenario.trace.result@1';
  readonly 'schedule.create@1': 'schedule.create.result@1';
  readonly 'schedule.delete@1': 'schedule.delete.result@1';
  readonly 'schedule.list@1': 'schedule.list.result@1';
  readonly 'schedule.pause@1': 'schedule.pause.result@1';
  readonly 'schedule.preview@1': 'schedule.preview.result@1';
  readonly 'schedule.resume@1': 'schedule.resume.result@1';
  readonly 'search.query@1': 'search.query.result@1';
  readonly 'trigger.create@1': 'trigger.create.result@1';
  readonly 'trigger.delete@1': 'trigger.delete.result@1';
  readonly 'trigger.disable@1': 'trigger.disable.result@1';
  readonly 'trigger.enable@1': 'trigger.enable.result@1';
  readonly 'trigger.list@1': 'trigger.list.result@1';
}

export type EventFqdn = keyof EventPayloads;
export type CommandFqdn = keyof Replies;

/**
 * How events leave this host to other hubs and come in from them (BUS-20, BUS-21, BUS-25).
 *
 * A transport carries and never decides: inside one host nothing but the store is between a publish and its
 * mailboxes. What leaves waits in the outbox, a row of the commit that published it, until the transport says that
 * the other side has it; what comes in is an event of this host once it is committed, with its envelope's id as the
 * key by which a second copy is known. So a transport may lose and repeat what it likes, and nothing is lost or
 * handled twice, while order holds as it sends one batch after the other. A command leaves where nobody of its
 * host handles it; one whose answer is waited for (`bus.request`) stays within its host.
 */
export interface Transport {
  /** As `events.transport` names it. */
  readonly name: string;
  /** Subject patterns (bus/subject.ts) of what leaves this host; with none nothing does. */
  readonly carries: readonly string[];
  /** Begins to receive. */
  open(hub: Hub): Promise<void>;
  /**
   * Resolves when the other side has all of them durably, or rejects; then the same batch comes again. It is called
   * anew only after it was settled, with events in the order in which they were committed.
   */
  send(events: readonly CarriedEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** What a transport knows of the host that it serves. */
export interface Hub {
  /**
   * Resolves when the events are durable here: only then they may be acknowledged. Those that came before are passed
   * over. Rejects when they cannot be taken now; what can never be taken is refused by itself, and logged.
   */
  receive(events: readonly CarriedEvent[]): Promise<void>;
}

/** An event between hubs. What another hub says of it is judged anew where it arrives. */
export interface CarriedEvent {
  /** Of its envelope; the message id of a transport that has one (`Nats-Msg-Id`). */
  readonly id: string;
  readonly subject: string;
  readonly mode: 'event' | 'command' | 'broadcast';
  /** The sealed envelope as JSON. */
  readonly envelope: string;
}

import { isThenable } from '../../store/deadline.js'
import type { RelayClock } from './clock.js'
import { type Body, EVERYBODY, type Message } from './messages.js'
import type { RelayTransport } from './transport.js'
import type { Wire } from './wire.js'

/** How long to wait before subscribing again after a failure. */
const RETRY_MS = 2_000
const MAX_SENDERS = 20_000
/** The maximum number of messages that an unresponsive broker may have accepted but not sent. */
const MAX_UNSENT = 50_000

export type LineSetUp = {
  readonly id: string
  readonly channel: string
  readonly transport: RelayTransport
  readonly wire: Wire
  readonly clock: RelayClock
  hear(message: Message): void
  refused(): void
  failed(error: unknown): void
}

/** A node's connection to the other nodes. It accepts only signed messages, and each message only once. */
export class Line {
  readonly #setUp: LineSetUp
  /** The last message received from each sender. */
  readonly #heard: Map<string, number> = new Map()
  readonly #stops: (() => unknown)[] = []
  readonly #cancels: Set<() => void> = new Set()
  #sent = 0
  #unsent = 0
  #isOpen = true

  constructor(setUp: LineSetUp) {
    this.#setUp = setUp
  }

  open(): void {
    const { id, channel } = this.#setUp
    for (const name of [`${channel}.all`, `${channel}.to.${id}`]) this.#subscribe(name)
  }

  /** Sends a message, which may be lost like any other. */
  send(to: string, body: Body): void {
    const { id, channel, wire, transport, failed } = this.#setUp
    this.#sent += 1
    const text = wire.write({ from: id, to, seq: this.#sent, body })
    // If an answer is too long for the broker, its receiver queries the store.
    if (text === undefined) {
      if (body.kind === 'answer') this.send(to, { kind: 'alone', nonce: body.nonce })
      return
    }
    if (this.#unsent >= MAX_UNSENT) return
    try {
      const sending = transport.publish(to === EVERYBODY ? `${channel}.all` : `${channel}.to.${to}`, text)
      if (!isThenable(sending)) return
      this.#unsent += 1
      const sent = (): void => {
        this.#unsent -= 1
      }
      sending.then(sent, (error: unknown) => {
        sent()
        failed(error)
      })
    } catch (error) {
      failed(error)
    }
  }

  close(): void {
    this.#isOpen = false
    for (const cancel of this.#cancels) cancel()
    // An unresponsive broker must not delay shutdown.
    for (const stop of this.#stops.splice(0)) void (async () => stop())().catch(() => undefined)
  }

  #subscribe(name: string): void {
    const { transport, clock, failed } = this.#setUp
    const subscribed = async (): Promise<void> => {
      const stop = await transport.subscribe(name, (text) => this.#take(text))
      if (typeof stop !== 'function') return
      if (this.#isOpen) this.#stops.push(stop)
      else await stop()
    }
    subscribed().catch((error: unknown) => {
      if (!this.#isOpen) return
      failed(error)
      const cancel = clock.after(RETRY_MS, () => {
        this.#cancels.delete(cancel)
        this.#subscribe(name)
      })
      this.#cancels.add(cancel)
    })
  }

  #take(text: unknown): void {
    if (!this.#isOpen) return
    const { wire, hear, refused, id } = this.#setUp
    const message = wire.read(text)
    if (message === undefined) {
      refused()
      return
    }
    if (message.to !== id && message.to !== EVERYBODY) return
    // The message was repeated or overtaken by a later one. Messages to all and to one node are ordered separately, and answers are matched by their nonce.
    const way = message.to === EVERYBODY ? `${message.from} to all` : message.from
    if (message.seq <= (this.#heard.get(way) ?? 0) && !isAnswer(message)) return
    if (this.#heard.size >= MAX_SENDERS && !this.#heard.has(way)) this.#heard.clear()
    this.#heard.set(way, Math.max(message.seq, this.#heard.get(way) ?? 0))
    hear(message)
  }
}

function isAnswer({ body }: Message): boolean {
  return body.kind === 'answer' || body.kind === 'renewed' || body.kind === 'alone'
}

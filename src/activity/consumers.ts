import type { Consumer } from './consumer.js'
import type { ConsumerReads } from './shared-read.js'

/** The consumers that run on this node. */
export class Consumers {
  readonly reads: ConsumerReads
  readonly #running: Set<Consumer> = new Set()

  constructor(reads: ConsumerReads) {
    this.reads = reads
  }

  add(consumer: Consumer): void {
    this.#running.add(consumer)
    consumer.start()
  }

  /** Called after events were written here. */
  wake(): void {
    for (const consumer of this.#running) consumer.wake()
  }

  get running(): readonly Consumer[] {
    return [...this.#running]
  }

  async stop(consumer: Consumer): Promise<void> {
    await consumer.stop()
    this.#running.delete(consumer)
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((consumer) => this.stop(consumer)))
  }
}

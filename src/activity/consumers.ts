import type { Consumer } from './consumer.js'

/** The consumers that run on this node. */
export class Consumers {
  readonly #running: Set<Consumer> = new Set()

  add(consumer: Consumer): void {
    this.#running.add(consumer)
    consumer.start()
  }

  /** Events were written here. */
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

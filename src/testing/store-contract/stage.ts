import type { TokenStore } from '../../store/port.js'
import { newPrefix } from './build.js'
import type { Stage, StoreCase, StoreContractOptions, StoreSubject } from './types.js'

const DEFAULT_OPERATIONS = 2000

/** Runs one case on a store created for it, and disposes of the store even if the case fails. */
export async function runCase(subjectCase: StoreCase, options: StoreContractOptions): Promise<void> {
  const subject = await options.create()
  const { store } = subject
  const second = subject.second ?? store
  const opened = new Set([store, second])
  const stage: Stage = {
    store,
    second,
    handle: (turn) => (turn % 2 === 0 ? store : second),
    async reopen() {
      const handle = await subject.reopen()
      await handle.migrate?.()
      opened.add(handle)
      return handle
    },
    trimFeed: subject.trimFeed?.bind(subject),
    beginTransaction: subject.beginTransaction?.bind(subject),
    prefix: newPrefix(),
    operations: options.operations ?? DEFAULT_OPERATIONS,
  }
  try {
    for (const handle of opened) await handle.migrate?.()
    await subjectCase.run(stage)
  } catch (failure) {
    // The failure of the case matters more than a failure to dispose of the store.
    await putAway(opened, subject).catch(() => {})
    throw failure
  }
  await putAway(opened, subject)
}

async function putAway(opened: ReadonlySet<TokenStore>, subject: StoreSubject): Promise<void> {
  try {
    for (const handle of opened) await handle.close?.()
  } finally {
    await subject.dispose?.()
  }
}

import { runHistory } from '../history/run.js'
import type { StoreCases } from '../types.js'

export const historyCases: StoreCases = {
  title: 'history',
  cases: [
    {
      title: 'with 64 clients on two instances, no token is accepted after its revocation is acknowledged, and no update is lost',
      run: runHistory,
    },
  ],
}

import { runHistory } from '../history/run.js'
import type { StoreCases } from '../types.js'

export const historyCases: StoreCases = {
  title: 'history',
  cases: [
    {
      title: '64 clients of two instances: nothing is accepted after its revocation was acknowledged, and no update is lost',
      run: runHistory,
    },
  ],
}

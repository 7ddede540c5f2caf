import express5 from 'express'
import express4 from 'express4'
import { describe, expect, it } from 'vitest'
import { httpContract, httpVectorCount } from '../http-contract/index.js'
import { expressHarness } from '../support/http/express.js'

httpContract({ describe, it }, expressHarness('Express 4', express4))
httpContract({ describe, it }, expressHarness('Express 5', express5))

it('the HTTP contract has at least 300 vectors', () => {
  expect(httpVectorCount).toBeGreaterThanOrEqual(300)
})

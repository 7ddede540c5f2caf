import { describe, it } from 'vitest'
import { httpContract } from '../http-contract/index.js'
import { nestHarness } from '../support/http/nest.js'

httpContract({ describe, it }, nestHarness('Nest 12 on Express', 'express'))
httpContract({ describe, it }, nestHarness('Nest 12 on Fastify', 'fastify'))

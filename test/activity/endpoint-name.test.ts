import { expect, it } from 'vitest'
import { endpointName } from '../../src/activity/endpoint-name.js'

it('all made-up HTTP methods count as one endpoint', () => {
  const invented = Array.from({ length: 5_000 }, (_, at) => endpointName(`M${at}`, '/stock'))
  expect(new Set(invented)).toEqual(new Set(['_OTHER /stock']))
  expect(endpointName('constructor', '/stock')).toBe('_OTHER /stock')
})

it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'])('the method %s is part of the endpoint', (method) => {
  expect(endpointName(method, '/:id', '/stock')).toBe(`${method} /stock/:id`)
})

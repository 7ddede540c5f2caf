import { ClientError } from 'latchkey/client'
import { expect, it } from 'vitest'

it.each([
  'duplicate key: Key (rotation)=(4kQ0tXb2LrVn8ZcD.e4cfe15a-805f-420c-91ed-7e5dc19b4ca8.3600) already exists',
  'failed: {"idempotency-key":"44D92AEE-1f6b-4c8e-9d52-0a1b2c3d4e5f"}',
])('an error contains no key of a rotation: %s', (message) => {
  const error = new ClientError('storage_failed', message)
  expect(error.message).not.toMatch(/e4cfe15a|7e5dc19b4ca8|44D92AEE|2c3d4e5f/i)
  expect(error.message).toContain('…')
})

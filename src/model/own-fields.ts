/** The methods of every object, which a store or a host may call on a record. */
const METHODS = ['constructor', 'hasOwnProperty', 'isPrototypeOf', 'propertyIsEnumerable', 'toLocaleString', 'toString', 'valueOf'] as const

// An instance of a class is faster to read than one without a prototype.
class Fields {}
Object.setPrototypeOf(Fields.prototype, null)
for (const name of METHODS) {
  // Writable, because a field of a custom store may have the name of a method.
  Object.defineProperty(Fields.prototype, name, { value: Object.prototype[name], writable: true, configurable: true, enumerable: false })
}
Object.preventExtensions(Fields.prototype)

/**
 * Returns a copy in which only the object's own fields can be found. An absent field stays absent even if other code has put one of that name on
 * `Object.prototype`. The copy still has the methods of every object, such as `hasOwnProperty`.
 */
export function ownFields<T extends object>(value: T): T {
  return Object.assign(new Fields(), value) as T
}

/** Like `ownFields`, but includes nested lists and plain objects, down to a depth. Anything else, such as a function, is kept as it is. */
export function ownFieldsWithin<T>(value: T, depth?: number): T
export function ownFieldsWithin(value: unknown, depth: number = 6): unknown {
  if (depth === 0 || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const list: unknown[] = value.map((item) => ownFieldsWithin(item, depth - 1))
    // A page of events may say where the store stopped.
    if (Object.hasOwn(value, 'stoppedAt')) Object.assign(list, { stoppedAt: Reflect.get(value, 'stoppedAt') })
    return list
  }
  if (!isPlain(value)) return value
  const copy = ownFields(value as { [name: string]: unknown })
  for (const name of Object.keys(copy)) copy[name] = ownFieldsWithin(copy[name], depth - 1)
  return copy
}

/** Ensures that objects of a class have only their own fields and methods. */
export function cutOff(base: { readonly prototype: object }): void {
  Object.setPrototypeOf(base.prototype, Fields.prototype)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || prototype === Fields.prototype
}

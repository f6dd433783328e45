/** The two calls we use of this untyped package: an advisory kernel lock on a whole open file. */
declare module 'fs-native-extensions' {
  export function tryLock (fileDescriptor: number): boolean
  export function unlock (fileDescriptor: number): void
}

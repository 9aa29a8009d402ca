import type { Block } from "./allocator.ts";

/** Smaller blocks are left to the garbage collector: watching one costs as much as making it. */
export const WATCHED_BYTES = 128 * 1024;

const LEAST_BUDGET = 8 * 1024 * 1024;
const GREATEST_BUDGET = 1024 * 1024 * 1024;
/** How many collections in a row must find most results dead before they may come more often. */
const PATIENCE = 4;
/** How long work must have taken, in collections, for one more to be cheap, and how long for it not to be dear. */
const CHEAP = 25;
const DEAR = 8;
/** Dear collections wait for so many times the least budget: caches have lost that much by then in any case. */
const DEAR_BUDGETS = 3;

/** Sees which objects the garbage collector has found dead, at once: finalizers would wait for the event loop. */
export interface DeathWatch {
  /** Watches `owner`, under a number that is not in use. */
  watch(owner: object, slot: number): void;
  /** Forgets what is watched under this number. */
  unwatch(slot: number): void;
  /** The numbers of those found dead since the last call; they are in use no longer. */
  dead(): readonly number[];
  /** Has the collector look through the young objects (some 0.05 ms). */
  scavenge(): void;
}

/**
 * Gets the memory of results back that were dropped, not released. The allocator keeps the block; the storage that
 * owns it is watched, and when the collector finds it dead the block is free again, still warm in the caches. Left to
 * V8, each result would come from new memory, and each 64 MB of them would start a full collection on a core that has
 * work to do.
 *
 * Collections of young objects are asked for when the results handed out since the last one pass a budget. One that
 * finds most of them in use doubles the budget: a training step's activations are all alive until its backward, and
 * objects that outlive two collections grow old, where only a full collection finds them. The best time to look is when
 * a backward pass has let go of all that its forward made; what is found then says nothing about the budget.
 *
 * While the budget is at its least, time counts, too. The fewer blocks take turns, the more of them stay in the caches:
 * collections that take no more than a few per cent of the time come early. Where they take much of it, they wait.
 */
export class Reclaimer {
  private readonly _watch: DeathWatch;
  private readonly _blocks: (Block | undefined)[] = [];
  private readonly _slots: number[] = [];
  private _budget = LEAST_BUDGET;
  private _young = 0;
  /** How many blocks were entrusted so far, and how many of them before the last collection. */
  private _count = 0;
  private _old = 0;
  private _goodOnes = 0;
  private _hasPassed = false;
  /** When the last collection ended and how long it took, in milliseconds. */
  private _end = 0;
  private _cost = 0;

  constructor(watch: DeathWatch) {
    this._watch = watch;
  }

  /** Keeps `block` until it is settled or `owner` is found dead. */
  entrust(block: Block, owner: object): void {
    const slot = this._slots.pop() ?? this._blocks.length;
    this._watch.watch(owner, slot);
    this._blocks[slot] = block;
    block.slot = slot;
    block.age = this._count++;
    this._young += block.size;
  }

  /** Forgets a block that was given back. */
  settle(block: Block): void {
    if (block.slot < 0) return;
    this._watch.unwatch(block.slot);
    if (block.age >= this._old) this._young -= block.size;
    this._forget(block.slot);
  }

  /** A backward pass is over, and its graph let go of: what comes next looks for it, before anything can grow old. */
  passed(): void {
    this._hasPassed = true;
  }

  /** Whether the collector should look for results that were dropped before `size` more bytes are handed out. */
  isDue(size: number): boolean {
    this._hasPassed &&= this._young >= LEAST_BUDGET && this._rested(DEAR);
    if (this._hasPassed) return true;
    const isSpent = this._young >= Math.max(this._budget, 2 * size);
    if (this._budget > LEAST_BUDGET || this._young >= Math.max(DEAR_BUDGETS * this._budget, 2 * size)) return isSpent;
    return this._young >= size && this._rested(isSpent ? DEAR : CHEAP);
  }

  /**
   * Blocks whose owners are dead; the collector is asked to look unless it has done so by itself. After a backward pass it
   * is asked in any case: it may have looked while the graph was still held.
   */
  scavenge(): readonly Block[] {
    const known = this.found();
    const hasPassed = this._hasPassed;
    if (known.length > 0 && !hasPassed) return known;
    this._hasPassed = false;
    const start = performance.now();
    this._watch.scavenge();
    this._end = performance.now();
    this._cost = this._end - start;
    const found = this._dead();
    if (!hasPassed) {
      const bytes = total(found);
      if (2 * bytes < this._young) this._budget = Math.min(2 * this._budget, GREATEST_BUDGET);
      this._learn(bytes);
    }
    this._begin();
    return known.concat(found);
  }

  /**
   * Blocks whose owners the collector has found dead by itself. The last one handed out comes last: what a free list
   * gives next was written last and may still be in the caches.
   */
  found(): readonly Block[] {
    const found = this._dead();
    if (found.length === 0) return found;
    this._learn(total(found));
    this._begin();
    return found;
  }

  private _dead(): readonly Block[] {
    const dead: Block[] = [];
    for (const slot of this._watch.dead()) {
      const block = this._blocks[slot];
      if (block === undefined) continue;
      dead.push(block);
      this._forget(slot);
    }
    return dead.sort((a, b) => a.age - b.age);
  }

  /** Whether the last collection is so many times as long ago as it took. */
  private _rested(times: number): boolean {
    return performance.now() - this._end > times * this._cost;
  }

  private _forget(slot: number): void {
    const block = this._blocks[slot];
    if (block !== undefined) block.slot = -1;
    this._blocks[slot] = undefined;
    this._slots.push(slot);
  }

  /** What is handed out from now on is young. */
  private _begin(): void {
    this._old = this._count;
    this._young = 0;
  }

  /** Collections that find most of what is young dead may come more often. */
  private _learn(bytes: number): void {
    this._goodOnes = 3 * bytes >= 2 * this._young ? this._goodOnes + 1 : 0;
    if (this._goodOnes === PATIENCE) {
      this._goodOnes = 0;
      this._budget = Math.max(this._budget / 2, LEAST_BUDGET);
    }
  }
}

function total(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block.size, 0);
}

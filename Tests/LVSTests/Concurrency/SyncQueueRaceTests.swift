import LVS
import Synchronization
import Testing

/// One thread puts connections into a queue, another takes them out.
@Suite struct SyncQueueRaceTests {
    /// What both threads know.
    private final class Progress: Sendable {
        let isOver = Atomic<Bool>(false)
    }

    @Test func `What one thread puts in another takes out, whole and in its order`() async {
        let connections = 97
        let puts = 100_000
        let rig = TableRig(connections: 4096)
        let made = (0..<connections).compactMap { rig.insert(TableRig.spec($0)) }
        #expect(made.count == connections)
        let queue = SyncQueue()
        defer { queue.deallocate() }
        queue.open()
        let progress = Progress()
        let now = rig.now
        let (taken, broken) = await withTaskGroup(of: (Int, Int)?.self) { group in
            group.addTask {
                for turn in 0..<puts {
                    // The timeout numbers what is put in.
                    let connection = made[turn % connections]
                    connection.restart(timeoutSeconds: UInt32(turn + 1), now: now)
                    queue.put(connection)
                    if turn & 1023 == 0 { await Task.yield() }
                }
                progress.isOver.store(true, ordering: .releasing)
                return nil
            }
            group.addTask { await Self.read(queue, progress, made) }
            var result = (0, 0)
            for await found in group { result = found ?? result }
            return result
        }
        #expect(broken == 0)
        #expect(taken + Int(queue.lost) == puts)
        #expect(taken >= Int(SyncQueue.capacity), "as many as have room wait at least")
        #expect(queue.take() == nil)
    }

    /// How many items came, and how many of them were not what was put in, or not in its order.
    private static func read(
        _ queue: SyncQueue, _ progress: Progress, _ made: [Connection]
    ) async -> (Int, Int) {
        var (taken, broken, last) = (0, 0, 0)
        while true {
            // What was put in before the end is there when the end is seen.
            let isOver = progress.isOver.load(ordering: .acquiring)
            while let item = queue.take() {
                taken += 1
                let number = Int(item.told.timeoutSeconds ?? 0)
                let connection = made[(number - 1) % made.count]
                if number <= last || item.number != connection.number
                    || item.told.client != connection.client || item.told.virtualPort != 80
                {
                    broken += 1
                }
                last = number
            }
            guard !isOver else { return (taken, broken) }
            await Task.yield()
        }
    }

    @Test func `A full queue loses what comes, and keeps its order over the end of the ring`() {
        let rig = TableRig(connections: 4096)
        let made = (0..<7).compactMap { rig.insert(TableRig.spec($0)) }
        let queue = SyncQueue()
        defer { queue.deallocate() }
        queue.put(made[0])
        #expect(queue.take() == nil && queue.lost == 0, "it is not open")
        queue.open()
        let room = Int(SyncQueue.capacity)
        var waiting: [UInt32] = []
        var lost: UInt64 = 0
        for round in 0..<4 {
            for turn in 0..<room - round * 1000 {
                let connection = made[turn % made.count]
                if waiting.count < room {
                    waiting.append(connection.number)
                } else {
                    lost += 1
                }
                queue.put(connection)
            }
            #expect(queue.lost == lost)
            let taken = (0..<room - 5000).map { _ in queue.take()?.number }
            #expect(taken == waiting.prefix(taken.count).map { $0 })
            waiting.removeFirst(taken.count)
        }
        #expect(lost > 0 && !waiting.isEmpty)
        queue.drop()
        #expect(queue.take() == nil)
        queue.put(made[3])
        #expect(queue.take()?.number == made[3].number)
    }
}

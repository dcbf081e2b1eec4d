internal import CSteps
internal import LVS
internal import Posix

/// Does each operation of the table in a child process, one instruction after the other.
///
/// After every one that changed the memory the child might have been killed: a new director adopts a
/// copy of the memory, which must be in order and have every connection that the operation is not about.
///
/// Prints a line for each operation and, last, how many kills there were and how many went wrong.
@main
struct KillSteps {
    static func main() {
        let wanted = Array(CommandLine.arguments.dropFirst())
        var kills = 0
        var wrong = 0
        for operation in Operation.all where wanted.isEmpty || wanted.contains(operation.name) {
            guard let run = Run(operation) else {
                print("\(operation.name): cannot be run here")
                wrong += 1
                continue
            }
            run.go()
            kills += run.kills
            wrong += run.complaints.count
            print("\(operation.name): killed at \(run.kills) of \(run.steps) instructions")
            for complaint in run.complaints.prefix(5) { print("  WRONG: \(complaint)") }
        }
        print("\(kills) kills, \(wrong) wrong")
    }
}

/// One operation from its first instruction to its last.
@safe
final class Run {
    let operation: Operation
    let fixture: Fixture
    let made: Connection?
    private(set) var steps = 0
    private(set) var kills = 0
    private(set) var complaints: [String] = []

    init?(_ operation: Operation) {
        guard let fixture = Fixture(connections: operation.connections) else { return nil }
        do throws(CommandRefusal) {
            try Fixture.configure(fixture.director)
        } catch {
            return nil
        }
        self.operation = operation
        self.fixture = fixture
        fixture.fill()
        made = operation.prepare(fixture)
    }

    func go() {
        let start = fixture.image
        var images: [Fixture.Image] = []
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let child = unsafe steps_start(operate, context)
        guard child > 0 else {
            complaints.append("there is no child process")
            return
        }
        var last = start
        var state: Int32 = 1
        while state == 1 {
            state = steps_next(child)
            steps += 1
            if fixture.follow(&last) { images.append(last) }
        }
        // One that is refused changes nothing: then the table as it was is looked at.
        if images.isEmpty { images = [start] }
        guard state == 0, let end = images.last, let before = look(start), let after = look(end)
        else {
            complaints.append("the operation ended badly")
            return
        }
        let (old, new) = (Snapshot(before.table), Snapshot(after.table))
        for image in images { judge(image, old, new) }
    }

    /// Takes over an image as a new process does.
    private func look(_ image: Fixture.Image) -> Fixture? {
        do throws(TableRefusal) {
            return try Fixture(adopting: image, of: fixture)
        } catch {
            complaints.append("refused: \(error.words)")
            return nil
        }
    }

    private func judge(_ image: Fixture.Image, _ before: Snapshot, _ after: Snapshot) {
        kills += 1
        guard let adopted = look(image) else { return }
        complaints += adopted.table.disorder()
        let now = Snapshot(adopted.table)
        complaints += now.complaints(from: before, to: after)
        for (flaw, count) in adopted.director.adopted?.ended ?? [:] where flaw != .unfinished {
            complaints.append("\(count) \(flaw.words)")
        }
        do throws(CommandRefusal) {
            try Fixture.configure(adopted.director)
            let services = adopted.director.services()
            let counted = services.flatMap(\.servers).reduce(0) {
                $0 + Int($1.active + $1.inactive)
            }
            let all = now.connections.count { !$0.key.isTemplate }
            // A server that one operation adds is not configured here.
            let others = now.connections.values.count { $0["destination"] == "5" }
            if counted != all - others {
                complaints.append("servers count \(counted) of \(all) connections")
            }
            let ports = try adopted.director.locals(of: Fixture.key).map(\.takenPorts)
            let translated = now.connections.values.count { $0["local"] != nil }
            if ports != [translated] {
                complaints.append("\(ports) ports are taken, of \(translated) connections")
            }
        } catch {
            complaints.append("services cannot be configured: \(error)")
        }
    }
}

/// The operation, in the child.
private func operate(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    let run = unsafe Unmanaged<Run>.fromOpaque(context).takeUnretainedValue()
    run.operation.body(run.fixture, run.made)
}

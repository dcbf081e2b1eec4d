import ArgumentParser
import PacketIO
import Posix

/// How many workers there are and which CPU each is bound to, as `--workers` and `--cpus` say.
struct Processors {
    /// Most workers: each has sockets and a ring on every interface.
    static let most = 64

    /// A worker's CPU, in the workers' order; nil where the kernel chooses.
    let cpus: [Int?]

    /// Number of workers.
    var count: Int { cpus.count }

    init(_ options: Options) throws {
        try self.init(
            workers: options.workers, cpus: options.cpus, allowed: AllowedProcessors.numbers)
    }

    /// `allowed` are the CPUs that this process may run on, in ascending order.
    init(workers: String?, cpus: String?, allowed: [Int]) throws {
        let named = try cpus.map { try Self.list($0, allowed) }
        let wanted: Int
        switch workers {
        case "auto": wanted = min(named?.count ?? allowed.count, Self.most)
        case let word?:
            let most = min(allowed.count, Self.most)
            guard let number = Int(word), number > 0 else {
                throw ValidationError("--workers \(word): a number from 1, or auto, is accepted")
            }
            guard number <= most else {
                throw ValidationError(
                    "--workers \(word): this process may run on \(allowed.count) "
                        + "CPU\(allowed.count == 1 ? "" : "s") (\(ProcessorLayout.text(allowed))), and each "
                        + "worker needs one of its own; 1 to \(most) are accepted")
            }
            wanted = number
        case nil: wanted = named?.count ?? 1
        }
        if let named {
            guard named.count == wanted, wanted <= Self.most else {
                throw ValidationError(
                    "--cpus \(cpus ?? ""): \(named.count) CPUs for \(wanted) workers; name one for "
                        + "each worker, \(Self.most) at most")
            }
            self.cpus = named
        } else {
            // The first CPUs are where interrupts and other work go by default.
            self.cpus = wanted == 1 ? [nil] : allowed.suffix(wanted).map { $0 }
        }
    }

    /// The numbers of a list as taskset and the kernel write it: `1,3` or `2-5,8`.
    private static func list(_ text: String, _ allowed: [Int]) throws -> [Int] {
        var numbers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends[0], let last = ends[ends.count - 1], ends.count <= 2,
                first <= last, last < 8192
            else {
                throw ValidationError(
                    "--cpus \(text): CPU numbers are accepted, as in 1,3 or 2-5")
            }
            numbers += first...last
        }
        for number in numbers where !allowed.contains(number) {
            throw ValidationError(
                "--cpus \(text): this process may not run on CPU \(number); "
                    + "\(ProcessorLayout.text(allowed)) are accepted")
        }
        guard Set(numbers).count == numbers.count else {
            throw ValidationError("--cpus \(text): a CPU is named twice; one for each worker")
        }
        return numbers
    }
}

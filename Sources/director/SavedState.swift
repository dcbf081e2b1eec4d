import Control
import LVS
import Logging
import Posix

/// The state file of `--state`: what it held at the start, and who keeps it up to date.
struct SavedState {
    let keeper: StateKeeper
    /// Whether there was a file, so that the table is known and not just empty.
    let wasThere: Bool
    private let isPartial: Bool
    private let bytes: [UInt8]
    private let reading: StateFile.Reading

    /// Reads the file before anything of the host is touched.
    init(path: String, isPartial: Bool) throws {
        self.isPartial = isPartial
        do throws(SystemError) {
            keeper = try StateKeeper(path: path)
        } catch {
            let why = error.wouldBlock ? "another director keeps its state there" : "\(error)"
            throw StartFailure("state file \(path): \(why)")
        }
        wasThere = Files.exists(path)
        do throws(SystemError) {
            bytes = wasThere ? try Files.readBytes(path) : []
        } catch {
            throw StartFailure("state file: \(error)")
        }
        reading = wasThere ? StateFile.read(bytes) : StateFile.Reading()
        try judge(reading.damage, trusted: reading.items.count)
    }

    /// Puts what the file held into the table; what the rules file said when it was applied last.
    func restore(
        to table: KeptTable, _ control: ControlServer?, _ logger: Logger
    ) throws -> [Rule] {
        guard wasThere else { return [] }
        let restoration = StateRestoration(reading.items, to: table) { control?.restore($0) }
        let restored = reading.items.count - restoration.refused.count
        try judge(restoration.refused, trusted: restored)
        let wrong = reading.damage + restoration.refused
        if !wrong.isEmpty {
            let aside = try keepAside()
            for damage in wrong { logger.warning("state file, left out: \(damage)") }
            logger.warning("the damaged state file is kept as \(aside)")
        }
        let count = "\(restoration.services) services and \(restoration.servers) servers"
        logger.info("state file \(keeper.path): \(count) are back")
        return restoration.applied
    }

    private func judge(_ damage: [StateFile.Damage], trusted: Int) throws {
        guard let first = damage.first, !isPartial else { return }
        let more = damage.count > 1 ? " (and \(damage.count - 1) more)" : ""
        throw StartFailure(
            "state file \(keeper.path) is damaged: \(first)\(more). It is left as it is; put a good "
                + "copy in its place, or remove it to begin with an empty table, or start once with "
                + "--state-partial to use the \(trusted) lines that can be trusted")
    }

    /// Copies the file to the first free name beside it.
    private func keepAside() throws -> String {
        var number = 1
        while Files.exists("\(keeper.path).damaged-\(number)") { number += 1 }
        let aside = "\(keeper.path).damaged-\(number)"
        do throws(SystemError) {
            try Files.replace(aside, with: bytes)
        } catch {
            throw StartFailure("the damaged state file cannot be kept aside: \(error)")
        }
        return aside
    }

    /// Writes the first file of this director, which shows whether that can be done at all.
    func begin() throws {
        do throws(SystemError) {
            try keeper.save()
        } catch {
            throw StartFailure("state file \(keeper.path) cannot be written: \(error)")
        }
    }
}

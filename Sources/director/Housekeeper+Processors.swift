import LVS
import Logging
import PacketIO
import Posix

extension Housekeeper {
    /// Has workers that no CPU was chosen for keep off those that receiving takes up; once a second.
    func avoidCrowdedProcessors() {
        let lost = rates.values.reduce(0) { $0 &+ $1.statistics.ringFull }
        let isLosing = lost != lostBefore
        lostBefore = lost
        guard let cpus = crowding.look(ProcessorTimes.now, isLosing: isLosing) else { return }
        for loop in loops { loop.keep(to: cpus) }
        guard loops.contains(where: { $0.isFree }) else { return }
        logger.notice(
            "workers run on CPU \(cpus.map(String.init).joined(separator: ", ")) from now on")
    }

    /// What an operator should know of the CPUs.
    var processorNotes: [String] {
        crowding.found.map { cpu, percent in
            "frames are lost, and receiving takes \(percent) % of CPU \(cpu); "
                + (crowding.avoided.contains(cpu) && loops.contains { $0.isFree }
                    ? "workers keep off it"
                    : "let another CPU receive (rps_cpus, smp_affinity) or the workers run elsewhere")
        }
    }
}

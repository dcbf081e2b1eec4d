/// The rules of the house, each as a function from a file to what is wrong with it.
enum HouseRules {
    static func room(of file: SourceFile) -> String? {
        if FloorPlan.foreign.contains(file.target) { return nil }
        guard let hall = FloorPlan.hall(file.target) else {
            return "\(file): the floor plan has no target \(file.target)"
        }
        if file.room.isEmpty {
            let isKnown = hall.files.contains { pattern in
                pattern.hasSuffix("*")
                    ? file.name.hasPrefix(pattern.dropLast()) : file.name == pattern
            }
            return isKnown ? nil : "\(file): lies in no room of \(hall.name)"
        }
        return hall.rooms.contains(file.room)
            ? nil : "\(file): \(hall.name) has no room \(file.room)"
    }

    static func imports(of file: SourceFile) -> String? {
        guard let hall = FloorPlan.hall(file.target) else { return nil }
        let others = file.imports.subtracting(hall.imports)
        return others.isEmpty
            ? nil : "\(file): must not import \(others.sorted().joined(separator: ", "))"
    }

    static func purity(of file: SourceFile) -> String? {
        guard file.target == "LVS" else { return nil }
        let words = file.uses(["async", "await", "Task", "print", "debugPrint", "Thread"])
        return words.isEmpty
            ? nil : "\(file): the engine knows no \(words.sorted().joined(separator: ", "))"
    }

    static func memory(of file: SourceFile) -> String? {
        guard let hall = FloorPlan.hall(file.target), !hall.unsafeRooms.contains(file.room) else {
            return nil
        }
        return file.uses(["unsafe"]).isEmpty ? nil : "\(file): no unsafe code belongs here"
    }

    static func access(of file: SourceFile) -> String? {
        file.uses(["public"]).isEmpty || file.target.hasPrefix("C")
            || FloorPlan.inlined.contains(file.path)
            ? nil : "\(file): doors between targets are `package`, nobody outside needs `public`"
    }

    static func length(of file: SourceFile) -> String? {
        file.lineCount <= FloorPlan.longest
            ? nil : "\(file): \(file.lineCount) lines, at most \(FloorPlan.longest)"
    }

    /// A scheduler is a file of its room that declares a class conforming to `Scheduler`.
    static func isScheduler(_ file: SourceFile) -> Bool {
        file.target == "LVS" && file.room == "Schedulers"
            && file.code.contains(/class\s+\w+\s*:[^{]*\bScheduler\b/)
    }

    static func test(ofScheduler file: SourceFile, exists: (String) -> Bool) -> String? {
        let test = "Tests/LVSTests/Schedulers/\(file.name.dropLast(6))Tests.swift"
        return !isScheduler(file) || exists(test) ? nil : "\(file): has no test \(test)"
    }
}

internal import Glibc

/// The variables the process was started with.
package enum Environment {
    /// The value of a variable, nil when it is not set or empty.
    package static func value(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Gives a variable a value, for this process and those it starts; only while there is one thread.
    package static func set(_ name: String, to value: String) {
        _ = unsafe setenv(name, value, 1)
    }
}

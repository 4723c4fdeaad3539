"""What AWS answers, recorded by a person with an account, beside what the emulator answers."""

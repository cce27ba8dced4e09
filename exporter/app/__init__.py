"""Builds, packs, checks and drives the Android app of `android-demo/`: no Android SDK, no Gradle; with an SDK, its tools."""
